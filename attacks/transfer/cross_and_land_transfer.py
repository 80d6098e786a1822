"""Cross and land on surrogates: the best that no query at attack time can do."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from attacks.access import Transfer, WhiteBox
from attacks.base import register
from attacks.surrogate import SurrogateRecipe, smoothed
from attacks.white_box.cross_and_land import CrossAndLand
from targets.noise import Streams


def recipes(attack: Any, model: Transfer) -> list[SurrogateRecipe]:
    """The surrogates that an attack's fields describe, trained with the target's σ of noise."""
    recipe = {name: getattr(attack, name) for name in ("epochs", "batch", "learning_rate", "crop", "flip")}
    return [
        SurrogateRecipe(attack.architecture, **recipe, abstention=False, sigma=model.sigma, member=member)
        for member in range(attack.members)
    ]


def ensemble(attack: Any, model: Transfer, images: int) -> WhiteBox:
    """White-box access to those, trained on the target's answers and smoothed together."""
    return smoothed(model, [recipe.trained(model) for recipe in recipes(attack, model)], images)


@register("cross-and-land-transfer")
class CrossAndLandTransfer(CrossAndLand):
    """Cross and land on an ensemble of surrogates trained with the target's σ of noise and smoothed together."""

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
        """What is attacked in the target's place."""
        return ensemble(self, model, images)
