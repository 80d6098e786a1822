"""Cross and land on substitutes: the best that no query at attack time can do."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from attacks.access import Transfer
from attacks.base import register
from attacks.cross_and_land import CrossAndLand
from attacks.surrogate import Substitute, smoothed
from targets.noise import Streams


def ensemble(attack: Any, model: Transfer, images: int) -> Any:
    """White-box access to the substitutes that an attack's fields describe, smoothed together."""
    recipe = {name: getattr(attack, name) for name in ("epochs", "batch", "learning_rate", "crop", "flip")}
    members = [
        Substitute(attack.architecture, **recipe, abstention=False, sigma=model.sigma, member=member).trained(model)
        for member in range(attack.members)
    ]
    return smoothed(model, members, images)


@register("cross-and-land-transfer")
class CrossAndLandTransfer(CrossAndLand):
    """Cross and land on an ensemble of substitutes trained with the target's σ of noise and smoothed together."""

    access = Transfer
    architecture: str = "small-cnn"
    members: int = 1
    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.05
    crop: int = 0
    flip: bool = False

    def __call__(self, model: Any, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        white_box = ensemble(self, model, len(images))
        return super().__call__(white_box, images, labels, epsilon, generator)
