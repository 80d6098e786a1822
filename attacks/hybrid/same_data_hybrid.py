"""The hybrid attack with surrogates trained as the target was."""

from __future__ import annotations

from attacks.access import Hybrid, WhiteBox
from attacks.base import register
from attacks.ensemble import trained_on_same_data
from attacks.hybrid.cross_and_land_hybrid import CrossAndLandHybrid


@register("same-data-hybrid")
class SameDataHybrid(CrossAndLandHybrid):
    """Crosses the boundary of surrogates trained on the target's training set, then bisects back with a few labels.

    No query before the attack; during it a few labels, as for :class:`CrossAndLandHybrid`.

    Attributes:
        members, epochs: number of surrogates, and passes over the training set for each.
    """

    members: int = 2
    epochs: int = 200

    def surrogates(self, model: Hybrid, images: int) -> WhiteBox:
        """White-box access to what gives the directions."""
        return trained_on_same_data(self, model, images)
