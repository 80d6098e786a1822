"""What the searches by vote counts share: estimates, the queries that each image has left, and the landing."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from attacks.access import Score
from attacks.search.estimates import norms
from attacks.search.landing import land, probit_gap
from attacks.white_box.cross_and_land import HOPELESS
from targets.ceiling import ceilings

PRIOR = 0.5
"""Votes that every class has before the first is counted (Jeffreys), so that no estimate is 0."""


OVERSHOOT = 0.25
"""Probit gap beyond the tie at which an image counts as crossed: a standard deviation and a half at 250 samples."""


class VoteSearch:
    """A batch of images, each with the class that leads at it, and queries kept back for the landing.

    Args:
        images: originals (N, C, H, W).
        queries: most queries an image, landing included; fewer where the budget is smaller.
        landing_rounds: queries kept for the landing, its look at the far end included; fewer where there are not so
            many.
        landing_share: noise samples of each of them, and of the look at the original that begins every search, as a
            share of PREDICT's n: the band of ties narrows as n grows.

    Attributes:
        clean: estimates (N, K) at the originals.
        home: the class that leads there, (N,).
        clean_gap: its probit gap, (N,).
    """

    def __init__(self, model: Score, images: Tensor, queries: int, landing_rounds: int, landing_share: float) -> None:
        self.model = model
        self.images = images
        self.landing_samples = max(1, round(landing_share * model.n))
        self._left = [min(queries, model.queries_left(row)) for row in range(len(images))]
        self.clean = self.probabilities(images, range(len(images)), self.landing_samples)
        self.home = self.clean.argmax(1)
        self.clean_gap = probit_gap(self.clean, self.home)
        self._end: dict[int, float] = {}  # the probit gaps of adversarial images that are beyond the boundary
        # The budget is the same for every image of a batch.
        self._rounds = int(max(0, min([landing_rounds, *self._left])))

    def left(self, row: int) -> int:
        """Queries that the search for an image may still ask."""
        return int(max(0, self._left[row] - self._rounds))

    def within_reach(self, epsilon: float) -> list[int]:
        """The images that could abstain within epsilon at all, by their ceilings; nothing is spent on the others."""
        samples, model = self.landing_samples, self.model
        soft = samples + PRIOR * model.num_classes
        votes = (self.clean * soft - PRIOR).round().long().cpu().numpy()
        reach = ceilings(votes, epsilon, model.sigma, model.n, model.alpha) > HOPELESS
        return [row for row in range(len(votes)) if reach[row]]

    def probabilities(self, points: Tensor, rows: Sequence[int], samples: int) -> Tensor:
        """Estimates (B, K) of the class probabilities at points (B, C, H, W), float64; a query each."""
        for row in rows:
            self._left[row] -= 1
        votes = self.model.votes(points, rows, samples)
        return (votes.double() + PRIOR) / (samples + PRIOR * self.model.num_classes)

    def gaps(self, points: Tensor, rows: Sequence[int], samples: int) -> list[float]:
        """Estimates of the probit gap at points (B, C, H, W); a query each."""
        gaps: list[float] = probit_gap(self.probabilities(points, rows, samples), self.home[list(rows)]).tolist()
        return gaps

    def crossed(self, adversarial: Tensor, rows: Sequence[int]) -> list[int]:
        """Which of ``rows`` lie beyond the boundary, by more than the noise; a query each, of a landing's samples."""
        gaps = self.gaps(adversarial[list(rows)], rows, self.landing_samples)
        beyond = {row: gap for row, gap in zip(rows, gaps, strict=True) if gap < -OVERSHOOT}
        self._end |= beyond
        return list(beyond)

    def land(self, adversarial: Tensor) -> Tensor:
        """See :func:`attacks.search.landing.land`; without a query left for it, where the search has come to.

        Args:
            adversarial: (N, C, H, W), those that have :meth:`crossed` unmoved since.
        """
        if self._rounds == 0:
            return adversarial
        moved = (norms(adversarial - self.images) > 0).tolist()
        rest = [row for row in range(len(moved)) if moved[row] and row not in self._end]
        self._end |= dict(zip(rest, self.gaps(adversarial[rest], rest, self.landing_samples), strict=True))
        clean = self.clean_gap.tolist()
        end = self.clean_gap.new_tensor([self._end.get(row, clean[row]) for row in range(len(moved))])
        spare = [int(left) - (self._rounds - 1) for left in self._left]
        return land(
            self.probabilities, self.images, adversarial, self.home, self.clean_gap,
            self.landing_samples, self._rounds - 1, end, spare,
        )  # fmt: skip
