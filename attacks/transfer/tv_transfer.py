"""The seed paper's second attack: Tabacof–Valle on a surrogate that has abstention as a class.

Covington, "Towards Inducing Abstention in Certified Defense (Maybe)".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from attacks.access import Transfer
from attacks.base import Attack, register
from attacks.search.tabacof_valle import TabacofValle
from attacks.surrogate import SurrogateRecipe
from targets.noise import Streams


@register("tv-transfer")
class TVTransfer(Attack):
    """Tabacof–Valle on a wide-ResNet surrogate with abstention as a class (Covington's second attack).

    Attributes:
        architecture, epochs, batch, learning_rate: see :class:`attacks.surrogate.SurrogateRecipe`.
        confidence, initial_const, search_steps, evaluations: see
            :class:`attacks.search.tabacof_valle.TabacofValle`.
    """

    access = Transfer
    version: ClassVar[int] = 3
    minimum_norm: ClassVar[bool] = True
    architecture: str = "wide-resnet-10"
    epochs: int = 20
    batch: int = 64
    learning_rate: float = 0.1
    confidence: float = 0.95
    initial_const: float = 0.1
    search_steps: int = 3
    evaluations: int = 15

    def __call__(self, model: Transfer, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        recipe = SurrogateRecipe(self.architecture, self.epochs, self.batch, self.learning_rate, abstention=True)
        surrogate = recipe.of(model)

        def log_p(points: Tensor, rows: Sequence[int]) -> Tensor:
            log_probabilities: Tensor = surrogate(points).log_softmax(1)
            return log_probabilities[:, model.num_classes]

        search = TabacofValle(self.confidence, self.initial_const, self.search_steps, self.evaluations)
        return search(log_p, images, epsilon)
