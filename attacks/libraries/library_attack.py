"""What attacks of other libraries share: they run on one image at a time, each with its own random state."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from attacks.access import BudgetExhausted
from attacks.base import Attack
from attacks.libraries.outcome_classifier import OutcomeClassifier
from attacks.surrogate import SurrogateRecipe
from targets.isolation import seeded
from targets.noise import Streams


class LibraryAttack(Attack):
    """An evasion attack of another library, aimed at the abstention outcome.

    Images are attacked one by one, because other libraries draw from global random states, and some stop for a whole
    batch at once. So an image's result does not depend on the rest of the batch, and its queries are charged to it.

    Attributes:
        recipe: how the surrogate of a transfer attack is trained; by default as in the seed paper.
    """

    recipe: ClassVar[SurrogateRecipe] = SurrogateRecipe("wide-resnet-10", 20, 64, 0.1, abstention=True)

    @abstractmethod
    def attack_one(self, classifier: OutcomeClassifier, image: Tensor, abstention: int, epsilon: float) -> Tensor:
        """One adversarial image (1, C, H, W).

        Args:
            classifier: of K + 1 outcomes.
            image: (1, C, H, W) in [0, 1].
            abstention: the outcome to reach, K.
            epsilon: ℓ2 budget in [0, 1] pixel units.
        """

    def __call__(self, model: Any, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        adversarial = images.clone()
        for row in range(len(images)):
            classifier = OutcomeClassifier(model, row, generator, self.recipe)
            seed = int(generator[row].integers(2**31))
            try:
                with seeded(seed):  # the libraries draw from the global generators
                    found = self.attack_one(classifier, images[row : row + 1].clone(), model.num_classes, epsilon)
                adversarial[row] = found[0].detach().to(images)
            except BudgetExhausted:
                pass  # libraries know no query budget and cannot return their best so far: the original is sent
        return adversarial
