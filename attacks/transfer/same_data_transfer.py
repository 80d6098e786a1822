"""Cross and land on surrogates trained as the target was: no query, neither before the attack nor during it.

Liu et al. 2017, "Delving into Transferable Adversarial Examples and Black-box Attacks",
https://arxiv.org/abs/1611.02770, attack ensembles of surrogates.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from attacks.access import Transfer, WhiteBox
from attacks.base import register
from attacks.ensemble import trained_on_same_data
from attacks.search.estimates import probabilities
from attacks.search.problem import Problem
from attacks.search.tie_chance import TieChance
from attacks.transfer.cross_and_land_transfer import CrossAndLandTransfer
from targets.noise import Streams


@register("same-data-transfer")
class SameDataTransfer(CrossAndLandTransfer):
    """cross-and-land on surrogates trained on the target's own training set and with its noise; no query at all.

    This models an adversary who knows what the target was trained on, as everybody does for a public data set, and
    trains classifiers in the same way. Their weights differ from the target's, since the random start and the order of
    the images do. Several are smoothed together.

    Attributes:
        members, epochs: number of surrogates, and passes over the training set for each.
        beyond: probit gap beyond the surrogates' tie at which the attack lands; the end of the search where that is
            nearer. A perturbation made for a surrogate moves the target less, so the target's tie lies farther on.
        error: standard deviation of the difference between the target's Φ⁻¹(p) and the surrogates', in each class.
            Above 0, the attack moves on from where it landed to where a target that differs so much most probably
            abstains, see :class:`attacks.search.tie_chance.TieChance`. It does so for every image, also where the
            surrogates' ceiling rules abstention out.
    """

    members: int = 2
    epochs: int = 200
    beyond: float = 0.0
    error: float = 0.0

    def __call__(self, model: Any, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        landed = super().__call__(model, images, labels, epsilon, generator)
        if not self.error:
            return landed
        surrogates, rows = self.surrogates(model, len(images)), list(range(len(images)))
        home = probabilities(surrogates, generator)(images, rows, self.clean_samples).argmax(1)
        climb = TieChance(error=self.error, favour=self.beyond)
        return climb(Problem(surrogates, images, home, epsilon, generator), landed, rows)

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters by name; ``error`` only where it is not 0: rows from before it keep their keys."""
        held = super().parameters()
        return held if self.error else {name: value for name, value in held.items() if name != "error"}

    def beyond_tie(self) -> float:
        """See :meth:`attacks.white_box.cross_and_land.CrossAndLand.beyond_tie`."""
        return self.beyond

    def surrogates(self, model: Transfer, images: int) -> WhiteBox:
        """White-box access to what is attacked in the target's place."""
        return trained_on_same_data(self, model, images)
