"""What searches by vote counts share: estimates, the queries that each image has left, and the landing."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from attacks.access import Score
from attacks.search.geometry import norms
from attacks.search.landing import Landing, Segments
from attacks.search.probit_gap import probit_gap
from attacks.search.reach import within_reach

PRIOR = 0.5
"""Votes added to every class's count (Jeffreys' prior), so that no estimate is 0."""

OVERSHOOT = 0.25
"""Probit gap beyond the tie at which an image counts as crossed: 1.5 standard deviations of 250 samples' estimate."""


class VoteSearch:
    """A batch of images, the class that leads at each, and the queries that each has left.

    Every search begins with a look at the original and ends with a landing, whose queries are reserved.

    Args:
        model: the target's vote counts.
        images: originals (N, C, H, W).
        queries: most queries for each image, the landing's included; fewer where the query budget is smaller.
        landing_rounds: queries reserved for the landing, one at the far end included; fewer where there are not so
            many.
        landing_share: noise samples for each of them, and for the look at the original, as a share of PREDICT's n: the
            band of ties narrows as n grows.

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
        self._end: dict[int, float] = {}  # probit gaps of adversarial images, by row, where known
        # The query budget is the same for every image of a batch.
        self._rounds = int(max(0, min([landing_rounds, *self._left])))

    def left(self, row: int) -> int:
        """Queries that the search for an image may still make, without the landing's."""
        return int(max(0, self._left[row] - self._rounds))

    def within_reach(self, epsilon: float) -> list[int]:
        """The images that could abstain within ``epsilon`` at all; nothing more is spent on the others."""
        prior = PRIOR * self.model.num_classes
        votes = self.clean * (self.landing_samples + prior) - PRIOR
        return within_reach(self.model, votes.round(), epsilon)

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
        """Which of ``rows`` lie beyond the boundary by :data:`OVERSHOOT`; a query each, of a landing's samples."""
        gaps = self.gaps(adversarial[list(rows)], rows, self.landing_samples)
        beyond = {row: gap for row, gap in zip(rows, gaps, strict=True) if gap < -OVERSHOOT}
        self._end |= beyond
        return list(beyond)

    def land(self, adversarial: Tensor) -> Tensor:
        """Land on the tie, see :class:`attacks.search.landing.Landing`. Without a query left: the images as they are.

        Args:
            adversarial: (N, C, H, W); those that :meth:`crossed` named must not have moved since.
        """
        if self._rounds == 0:
            return adversarial
        moved = (norms(adversarial - self.images) > 0).tolist()
        rest = [row for row in range(len(moved)) if moved[row] and row not in self._end]
        self._end |= dict(zip(rest, self.gaps(adversarial[rest], rest, self.landing_samples), strict=True))
        clean = self.clean_gap.tolist()
        end = self.clean_gap.new_tensor([self._end.get(row, clean[row]) for row in range(len(moved))])
        spare = [int(left) - (self._rounds - 1) for left in self._left]
        landing = Landing(self.probabilities, self.landing_samples, self._rounds - 1, halvings=spare)
        return landing(Segments(self.images, adversarial, self.home, self.clean_gap, end))
