"""Looks: the later stages of a ceiling, with more samples at the images where these may prove what the first cannot.

**Why.** m votes, all for class A, prove no more than 1 - p_A ≤ log(1 / level) / m. For 40,000 votes that is 3.3 σ to
the tie: beyond ε = 3.3 σ a ceiling is 100% by construction. Each further 0.1 σ takes half as many samples again.

**The bound.** The first stage is that of :func:`targets.ceiling.ceilings`, at half of the image's error. For the others
class A is chosen on other noise, as CERTIFY does, and its votes are looked at after fixed numbers of samples, each
twice the one before. With S of these looks, each bounds p_A at level error / (2 S) (Clopper–Pearson), and
P[abstain] ≤ P[Bin(n, a) < t] follows as in :mod:`targets.ceiling`. All stages fail together with probability at most
the error, by the union bound. So the ceiling is valid whichever look is the last one, however the votes decide on that,
and although each look's samples hold those of the looks before. The least of the first stage's bound and the last
look's is the ceiling. Hence it is never above what the first stage alone proves at half of the error.

**When sampling stops.** At a look whose bound is at most :data:`DECIDED`; at any sample after which even votes for A
alone would leave the bound of the last look above 1 - :data:`GAIN`. The noise is the first stage's, drawn on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from targets.binomial import IntArray
from targets.ceiling import one_rival
from targets.confidence import lower_confidence_bound
from targets.noise import BLOCK
from targets.stopping import ABSTAIN, PENDING

FloatArray = NDArray[np.float64]

DECIDED = 0.01
"""A ceiling so low is not worth another sample."""

GAIN = 0.05
"""An image is sampled on if its ceiling may fall by at least this much."""


@dataclass(frozen=True)
class Looks:
    """A :class:`targets.stopping.Rule` that samples on until a look proves enough, or none can.

    Attributes:
        first: the first stage's samples an image.
        most: samples an image at the last look. It is rounded up to a whole block of noise.
        shift: ε / σ.
        n, alpha: PREDICT's.
        error: the probability, in (0, 1), with which an image's ceiling may fail, all stages together.
    """

    first: int
    most: int
    shift: float
    n: int
    alpha: float
    error: float

    @cached_property
    def samples(self) -> tuple[int, ...]:
        """How many samples each look is after, ascending: multiples of BLOCK, where a rule is applied."""
        last = -(-self.most // BLOCK) * BLOCK
        found = []
        size = -(-2 * self.first // BLOCK) * BLOCK
        while size < last:
            found.append(size)
            size *= 2
        return (*found, last)

    @property
    def level(self) -> float:
        """The error of one look."""
        return self.error / 2 / len(self.samples)

    def bounds(self, hits: IntArray, drawn: IntArray) -> FloatArray:
        """Upper bounds (N,) on P[abstain] from votes for A (N,) out of so many (N,), each at the level of one look."""
        low = lower_confidence_bound(hits, drawn, self.level)
        return np.array([one_rival(float(p), self.shift, self.n, self.alpha) for p in low])

    @cached_property
    def sufficient(self) -> tuple[int, ...]:
        """At each look, the most votes against A with which its bound is at most `DECIDED`; -1 where none is."""
        return tuple(self._misses(drawn, DECIDED) for drawn in self.samples)

    @cached_property
    def useful(self) -> int:
        """The most votes against A with which the last look's bound is at most 1 - `GAIN`; -1: no look can decide."""
        return self._misses(self.samples[-1], 1 - GAIN)

    def _misses(self, drawn: int, bound: float) -> int:
        low, high = -1, drawn
        while high - low > 1:  # the bound rises with the votes against A
            middle = (low + high) // 2
            within = self.bounds(np.array([drawn - middle]), np.array([drawn]))[0] <= bound
            low, high = (middle, high) if within else (low, middle)
        return low

    def __call__(self, votes: IntArray, drawn: IntArray) -> IntArray:
        """A class where sampling is to stop at a look, ABSTAIN where it is in vain: see :class:`targets.stopping.Rule`.

        Class A is not known here. The leader of the votes takes its place; that decides only when sampling stops.
        """
        misses = drawn - votes.max(1)
        result = np.full(len(drawn), PENDING, dtype=np.int64)
        result[misses > self.useful] = ABSTAIN
        for look, most in zip(self.samples, self.sufficient, strict=True):
            stops = (drawn == look) & ((misses <= most) | (look == self.samples[-1]))
            result[stops] = votes[stops].argmax(1)
        return result

    def promising(self, votes: IntArray, selected: IntArray, bounds: FloatArray) -> NDArray[np.bool_]:
        """Where to sample on (N,): the last look's bound, if the votes go on as they are, is lower by at least `GAIN`.

        Args:
            votes: the first stage's (N, K).
            selected: class A of each image (N,), chosen on other noise.
            bounds: the first stage's ceilings (N,).
        """
        if self.useful < 0 or not len(votes):
            return np.zeros(len(votes), dtype=bool)
        drawn = votes.sum(1)
        misses = drawn - np.take_along_axis(votes, selected[:, None], axis=1)[:, 0]
        last = self.samples[-1]
        expected = np.ceil(misses * (last / drawn)).astype(np.int64)
        promised = self.bounds(last - expected, np.full(len(votes), last))
        result: NDArray[np.bool_] = promised <= bounds - GAIN
        return result

    def proven(self, votes: IntArray, selected: IntArray) -> FloatArray:
        """What the looks prove (N,), from the votes (N, K) where sampling stopped; 1 where that was at no look."""
        drawn = votes.sum(1)
        at_look = np.isin(drawn, self.samples)
        hits = np.take_along_axis(votes, selected[:, None], axis=1)[:, 0] if len(votes) else drawn
        bounds = np.ones(len(votes))
        bounds[at_look] = self.bounds(hits[at_look], drawn[at_look])
        return bounds
