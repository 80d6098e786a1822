"""The margin-squared objective on a surrogate that the attacker smooths."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from attacks.access import Transfer
from attacks.base import register
from attacks.surrogate import SurrogateRecipe, smoothed
from attacks.white_box.margin import Margin
from targets.noise import Streams


@register("margin-transfer")
class MarginTransfer(Margin):
    """The margin attack on a surrogate trained with the target's σ of noise and smoothed by the attacker."""

    access = Transfer
    version: ClassVar[int] = 3
    architecture: str = "small-cnn"
    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.05

    def __call__(self, model: Any, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        surrogate = SurrogateRecipe(
            self.architecture, self.epochs, self.batch, self.learning_rate, abstention=False, sigma=model.sigma
        ).trained(model)
        white_box = smoothed(model, [surrogate], len(images))
        return super().__call__(white_box, images, labels, epsilon, generator)
