"""When sampling may stop: rules that turn the votes so far into a decision, or wait for more.

A rule is asked at fixed places of an image's noise stream (:data:`targets.votes.GRANULE` samples apart), so that its
decisions depend on neither batch nor neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln

from targets.binomial import FloatArray, IntArray, p_value, top_two

ABSTAIN = -1
PENDING = -2
"""No decision yet."""


class Rule(Protocol):
    """Decides from the votes so far."""

    def __call__(self, votes: IntArray, drawn: IntArray) -> IntArray:
        """Per row: a class, ABSTAIN, or PENDING (never once all samples are drawn).

        Args:
            votes: counts so far (R, K).
            drawn: their sums (R,).
        """


@dataclass(frozen=True)
class FixedN:
    """PREDICT with ``n`` samples at level ``alpha``, curtailed: decided as soon as the rest cannot change it.

    The p-value of the leader's count a against the largest other count b falls with a and rises with b. With r
    samples to come:

    * every way to hand out r votes ends with the leader at a or more, and then the others at most at b + r less
      what the leader got. So where even (a, b + r) is rejected with a ahead, the answer is certain.
    * whichever class leads in the end has at most a + r votes, and of the other classes one has at least b. So
      where even (a + r, b) is not rejected, PREDICT is certain to abstain.

    Both hold for any number of classes. With r = 0 the rule is the test itself.
    """

    n: int
    alpha: float

    def __call__(self, votes: IntArray, drawn: IntArray) -> IntArray:
        """See :class:`Rule`."""
        left = self.n - drawn
        label, first, _, second = top_two(votes)
        answers = (first > second + left) & (p_value(first, second + left) <= self.alpha)
        hopeless = p_value(first + left, second) > self.alpha
        return _decisions(label, answers, hopeless)


@dataclass(frozen=True)
class Sequential:
    """An anytime-valid test: answers as soon as the evidence is there, and abstains where it cannot come by ``n``.

    For classes A and B let E(A, B) be the likelihood ratio of their votes so far under a uniform mixture of
    θ = p_A / (p_A + p_B) on (1/2, 1) against θ = 1/2. Where p_A ≤ p_B it is a non-negative supermartingale that
    starts at 1 (a vote for A multiplies the integrand by 2θ ≥ 1, one for B by 2(1 - θ) ≤ 1, and their mean is at
    most 1), so by Ville's inequality it ever reaches K / α with probability at most α / K. The rule answers A once
    E(A, B) has reached that for every other class B, for which the largest other count is enough: E falls with B's
    count. Every class A that is not strictly the largest has some other class B with p_A ≤ p_B, so it is answered
    with probability at most α / K; and there are at most K of those. So a wrong answer, or any answer where the
    largest classes tie, has probability at most α in all, though the pair is chosen by the data and looked at after
    every sample. (Robbins 1970; Ramdas et al. 2023, "Game-theoretic statistics and safe anytime-valid inference".)

    It is another predictor than :class:`FixedN`, with other abstentions: the two are never mixed on a board.
    """

    n: int
    alpha: float

    def __call__(self, votes: IntArray, drawn: IntArray) -> IntArray:
        """See :class:`Rule`."""
        left = self.n - drawn
        label, first, _, second = top_two(votes)
        enough = np.log(votes.shape[1] / self.alpha)
        answers = log_evidence(first, second) >= enough
        hopeless = log_evidence(first + left, second) < enough
        return _decisions(label, answers, hopeless)


def log_evidence(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """log E(A, B) of counts n_A and n_B: log 2 ∫ (2θ)^n_A (2 - 2θ)^n_B dθ over θ from 1/2 to 1."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    with np.errstate(divide="ignore"):  # the tail underflows to 0 where B is far ahead: log 0 = -∞ is right
        tail = np.log(betainc(b + 1, a + 1, 0.5))
    result: FloatArray = (a + b + 1) * np.log(2.0) + betaln(a + 1, b + 1) + tail
    return result


def _decisions(label: IntArray, answers: NDArray[np.bool_], hopeless: NDArray[np.bool_]) -> IntArray:
    result: IntArray = np.where(answers, label, np.where(hopeless, ABSTAIN, PENDING)).astype(np.int64)
    return result
