"""The seed paper's proposal on a surrogate of the target's answers."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from attacks.access import Transfer
from attacks.base import register
from attacks.ensemble import smoothed
from attacks.surrogate import SurrogateRecipe
from attacks.white_box.margin import Margin
from targets.noise import Streams


@register("margin-transfer")
class MarginTransfer(Margin):
    """margin on a surrogate trained on the target's answers and with its noise, and smoothed by the attacker.

    Attributes:
        architecture, epochs, batch, learning_rate: see :class:`attacks.surrogate.SurrogateRecipe`.
    """

    access = Transfer
    version: ClassVar[int] = 3
    architecture: str = "small-cnn"
    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.05

    def __call__(self, model: Any, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        recipe = SurrogateRecipe(
            self.architecture, self.epochs, self.batch, self.learning_rate, abstention=False, sigma=model.sigma
        )
        white_box = smoothed(model, [recipe.trained(model)], len(images))
        return super().__call__(white_box, images, labels, epsilon, generator)
