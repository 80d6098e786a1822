"""Stopping rules: they decide from the votes so far, or ask for more samples.

A rule is applied at fixed places of an image's noise stream (every :data:`targets.votes.GRANULE` samples), so that its
decisions depend neither on the batch size nor on other images.
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
    """Decides on each image from its votes so far."""

    def __call__(self, votes: IntArray, drawn: IntArray) -> IntArray:
        """Decisions (R,): a class, ABSTAIN, or PENDING, which never remains once all samples are drawn.

        Args:
            votes: counts so far (R, K).
            drawn: the sums of the counts (R,).
        """


@dataclass(frozen=True)
class FixedN:
    """PREDICT with ``n`` samples at level ``alpha``: decides as soon as the remaining samples cannot change the result.

    The p-value of the leader's count a against the largest other count b falls with a and rises with b. Let r be the
    number of samples to come.

    * However the r votes fall, the leader ends with at least a, and each other class with at most b + r. So where
      (a, b + r) is rejected with a ahead, the answer is certain.
    * The class that leads in the end has at most a + r votes, and some other class has at least b. So where (a + r, b)
      is not rejected, PREDICT is certain to abstain.

    Both hold for any number of classes. With r = 0 the rule is PREDICT's test itself.
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
    """An anytime-valid test: answers as soon as the evidence suffices, and abstains where ``n`` samples cannot suffice.

    For classes A and B let E(A, B) be the likelihood ratio of their votes so far under a uniform mixture of
    θ = p_A / (p_A + p_B) on (1/2, 1) against θ = 1/2. Where p_A ≤ p_B it is a non-negative supermartingale that
    starts at 1: a vote for A multiplies the integrand by 2θ ≥ 1, one for B by 2(1 - θ) ≤ 1, and their mean is at
    most 1. By Ville's inequality it ever reaches K / α with probability at most α / K. The rule answers A once
    E(A, B) has reached K / α for every other class B. Since E falls with B's count, it is enough to check the largest
    other count. Every class A that is not strictly the most probable has some other class B with p_A ≤ p_B, so A is
    answered with probability at most α / K, and there are at most K such classes. So a wrong answer, or any answer
    where the most probable classes tie, has probability at most α, although the data choose the pair and the rule
    looks after every sample. (Robbins 1970, "Statistical Methods Related to the Law of the Iterated Logarithm",
    https://doi.org/10.1214/aoms/1177696786; Ramdas, Grünwald, Vovk and Shafer 2023, "Game-theoretic statistics and
    safe anytime-valid inference", https://arxiv.org/abs/2210.01948)

    It abstains on other images than :class:`FixedN`, so no board mixes the two.
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
