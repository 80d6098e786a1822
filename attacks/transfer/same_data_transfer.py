"""Cross and land on surrogates trained as the target was: no query, neither before the attack nor during it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from attacks.access import Transfer, WhiteBox
from attacks.base import register
from attacks.search.tie_chance import TieChance
from attacks.surrogate import smoothed
from attacks.transfer.cross_and_land_transfer import CrossAndLandTransfer, recipes
from attacks.white_box.cross_and_land import probabilities
from targets.noise import Streams


def same_data_ensemble(attack: Any, model: Transfer, images: int) -> WhiteBox:
    """White-box access to surrogates trained on the target's training set with true labels, smoothed together."""
    return smoothed(model, [recipe.trained_on_same_data(model) for recipe in recipes(attack, model)], images)


@register("same-data-transfer")
class SameDataTransfer(CrossAndLandTransfer):
    """Cross and land on surrogates trained on the target's own training set with its σ of noise; no query at all.

    It stands for an adversary who knows what the target was trained on, which for a public data set is everybody, and
    trains a target of their own: other weights, since the random start and the order of the images are others. Several
    are smoothed together (Liu et al. 2017 on ensembles that transfer).

    Attributes:
        beyond: probit gap beyond the surrogates' tie at which it lands, or at the search's end where that is
            nearer. What is made for a surrogate moves the target less, so the target's tie lies farther on.
        error: standard deviation of the target's Φ⁻¹(p) about the surrogates', in each class; above 0 the attack goes
            on from where it landed to where the target, so far off, most probably ties (:class:`TieChance`), on every
            image, those out of its own reach too.
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
        return climb(surrogates, images, landed, home, epsilon, generator, rows)

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters by name, without ``error`` where it is 0: rows from before it was one stay."""
        held = super().parameters()
        return held if self.error else {name: value for name, value in held.items() if name != "error"}

    def beyond_tie(self) -> float:
        """By the field of that name."""
        return self.beyond

    def surrogates(self, model: Transfer, images: int) -> WhiteBox:
        """What is attacked in the target's place."""
        return same_data_ensemble(self, model, images)
