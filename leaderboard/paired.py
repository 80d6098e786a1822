"""Paired comparison of two rates on the same images: the difference's interval, the exact test, and many at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.statistics import mcnemar


@dataclass(frozen=True)
class Paired:
    """Two yes-or-no outcomes of the same images, A's and B's.

    Attributes:
        both, only_a, only_b, neither: images.
    """

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def images(self) -> int:
        """All of them."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def rate_a(self) -> float:
        """A's rate, in [0, 1]."""
        return (self.both + self.only_a) / self.images

    @property
    def rate_b(self) -> float:
        """B's rate, in [0, 1]."""
        return (self.both + self.only_b) / self.images

    @property
    def difference(self) -> float:
        """B's rate minus A's, in [-1, 1]."""
        return (self.only_b - self.only_a) / self.images

    @property
    def p(self) -> float:
        """McNemar's exact two-sided p-value that the two rates are equal."""
        return mcnemar(self.only_b, self.only_a)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """An interval for B's rate minus A's, within [-1, 1].

        Newcombe's method 10: Wilson's score intervals of the two rates, put together with their correlation. Newcombe
        (1998), Improved confidence intervals for the difference between binomial proportions based on paired data,
        Statistics in Medicine 17(22), 2635–2650, https://pubmed.ncbi.nlm.nih.gov/9839354/.
        """
        a, b = self.rate_a, self.rate_b
        low_a, high_a = wilson(self.both + self.only_a, self.images, confidence)
        low_b, high_b = wilson(self.both + self.only_b, self.images, confidence)
        phi = self._correlation()

        def length(x: float, y: float) -> float:
            return math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))

        return self.difference - length(b - low_b, high_a - a), self.difference + length(high_b - b, a - low_a)

    def _correlation(self) -> float:
        """Of the two outcomes, with Newcombe's correction for continuity where it is above 0; 0 where one is fixed."""
        margins = (self.both + self.only_a) * (self.only_b + self.neither)
        margins *= (self.both + self.only_b) * (self.only_a + self.neither)
        if margins == 0:
            return 0.0
        excess: float = self.both * self.neither - self.only_a * self.only_b
        if excess > 0:
            excess = max(0.0, excess - self.images / 2)
        return excess / math.sqrt(margins)


def paired(a: Sequence[bool], b: Sequence[bool]) -> Paired:
    """The counts of two outcomes (N,) of the same images in one order. Raises ValueError where N differs, or is 0."""
    if len(a) != len(b) or not len(a):
        raise ValueError(f"{len(a)} outcomes against {len(b)}")
    pairs = list(zip(map(bool, a), map(bool, b), strict=True))
    return Paired(*(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))))


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for the rate behind `k` hits in `n` trials. Wilson (1927), JASA 22(158)."""
    from scipy.special import ndtri

    z = float(ndtri((1 + confidence) / 2))
    middle, half = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
    low, high = (middle - half) / (n + z * z), (middle + half) / (n + z * z)
    return (0.0 if k == 0 else low), (1.0 if k == n else high)
