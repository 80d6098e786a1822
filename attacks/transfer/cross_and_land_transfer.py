"""Cross and land on surrogates of the target's answers, without a query during the attack."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from attacks.access import Transfer, WhiteBox
from attacks.base import register
from attacks.ensemble import trained_on_answers
from attacks.white_box.cross_and_land import CrossAndLand
from targets.noise import Streams


@register("cross-and-land-transfer")
class CrossAndLandTransfer(CrossAndLand):
    """cross-and-land on surrogates trained on the target's answers and with its noise, and smoothed together.

    Attributes:
        architecture, epochs, batch, learning_rate, crop, flip: see :class:`attacks.surrogate.SurrogateRecipe`.
        members: number of surrogates.
    """

    access = Transfer
    architecture: str = "small-cnn"
    members: int = 1
    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.05
    crop: int = 0
    flip: bool = False

    def __call__(self, model: Any, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        return super().__call__(self.surrogates(model, len(images)), images, labels, epsilon, generator)

    def surrogates(self, model: Transfer, images: int) -> WhiteBox:
        """White-box access to what is attacked in the target's place."""
        return trained_on_answers(self, model, images)
