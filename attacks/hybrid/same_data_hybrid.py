"""The hybrid with surrogates that were trained as the target was."""

from __future__ import annotations

from attacks.access import Hybrid, WhiteBox
from attacks.base import register
from attacks.hybrid.cross_and_land_hybrid import CrossAndLandHybrid
from attacks.transfer.same_data_transfer import same_data_ensemble


@register("same-data-hybrid")
class SameDataHybrid(CrossAndLandHybrid):
    """Cross on surrogates trained on the target's own training set, then bisect with the target's labels.

    No query before the attack; during it a handful of labels, as :class:`CrossAndLandHybrid`.
    """

    members: int = 2
    epochs: int = 200

    def surrogates(self, model: Hybrid, images: int) -> WhiteBox:
        """What gives the directions."""
        return same_data_ensemble(self, model, images)
