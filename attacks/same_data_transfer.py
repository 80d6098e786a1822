"""Cross and land on substitutes trained as the target was: no query, neither before the attack nor during it."""

from __future__ import annotations

from typing import Any

from attacks.access import Transfer, WhiteBox
from attacks.base import register
from attacks.cross_and_land_transfer import CrossAndLandTransfer, recipes
from attacks.surrogate import smoothed


def same_data_ensemble(attack: Any, model: Transfer, images: int) -> WhiteBox:
    """White-box access to substitutes trained on the target's training set with true labels, smoothed together."""
    return smoothed(model, [recipe.trained_on_same_data(model) for recipe in recipes(attack, model)], images)


@register("same-data-transfer")
class SameDataTransfer(CrossAndLandTransfer):
    """Cross and land on substitutes trained on the target's own training set with its σ of noise; no query at all.

    It stands for an adversary who knows what the target was trained on, which for a public data set is everybody, and
    trains a target of their own: other weights, since the random start and the order of the images are others. The
    more such substitutes, the closer their mean comes to the target (Liu et al. 2017 on ensembles that transfer).

    Attributes:
        beyond: probit gap beyond the substitutes' tie at which it lands, or at the search's end where that is
            nearer. What is made for a substitute moves the target less, so the target's tie lies farther on.
    """

    members: int = 2
    epochs: int = 200
    beyond: float = 0.0

    def beyond_tie(self) -> float:
        """By the field of that name."""
        return self.beyond

    def substitutes(self, model: Transfer, images: int) -> WhiteBox:
        """What is attacked in the target's place."""
        return same_data_ensemble(self, model, images)
