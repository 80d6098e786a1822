"""What the adapters share: other libraries' attacks, one image at a time, each with its own random state."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from attacks.access import BudgetExhausted
from attacks.base import Attack
from attacks.libraries.outcome_view import OutcomeView
from attacks.surrogate import SurrogateRecipe
from targets.isolation import seeded
from targets.noise import Streams


class AdaptedAttack(Attack):
    """An evasion attack of another library, aimed at the abstention outcome.

    Images are attacked one by one, because other libraries draw from global random states and some stop a whole
    batch at once: so an image's result does not depend on its neighbours, and its queries are charged to it.

    Attributes:
        surrogate: how the surrogate of a transfer attack is trained; the seed paper's without.
    """

    surrogate: ClassVar[SurrogateRecipe] = SurrogateRecipe("wide-resnet-10", 20, 64, 0.1, abstention=True)

    @abstractmethod
    def attack_one(self, view: OutcomeView, image: Tensor, abstention: int, epsilon: float) -> Tensor:
        """One adversarial image (1, C, H, W).

        Args:
            view: the classifier of K + 1 outcomes.
            image: (1, C, H, W) in [0, 1].
            abstention: the outcome to reach, K.
        """

    def __call__(self, model: Any, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        adversarial = images.clone()
        for row in range(len(images)):
            view = OutcomeView(model, row, generator, self.surrogate)
            seed = int(generator[row].integers(2**31))
            try:
                with seeded(seed):  # the libraries draw from the global generators
                    found = self.attack_one(view, images[row : row + 1].clone(), model.num_classes, epsilon)
                adversarial[row] = found[0].detach().to(images)
            except BudgetExhausted:
                pass  # the library knows no budget; it gets no further than its last query, and sends the original
        return adversarial
