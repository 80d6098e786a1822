"""The test inside PREDICT: is the leading count significantly above the runner-up's?

PREDICT (Cohen, Rosenfeld and Kolter 2019, "Certified Adversarial Robustness via Randomized Smoothing",
https://arxiv.org/abs/1902.02918) tests whether ``n_A`` of ``n_A + n_B`` votes could come from a fair coin. The test is
the exact two-sided binomial test, and PREDICT abstains where its p-value is above ``alpha``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def p_value(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """Two-sided p-values of H0 "both counts are equally likely".

    Equal to ``scipy.stats.binomtest(first, first + second, 0.5).pvalue``: under a fair coin the two tails
    are mirror images, so the p-value is twice the smaller tail, capped at 1.

    Args:
        first, second: counts of votes, non-negative integers of any common shape.
    """
    a = np.asarray(first, dtype=np.int64)
    b = np.asarray(second, dtype=np.int64)
    # bdtr's lower tail of the smaller count equals the upper tail of the larger one.
    tail = bdtr(np.minimum(a, b).astype(np.float64), a + b, 0.5)
    result: FloatArray = np.minimum(1.0, 2.0 * tail)
    return result


@lru_cache(maxsize=64)
def largest_loser(n: int, alpha: float) -> IntArray:
    """For each total m in 0 … n, the largest losing count at which the test still rejects, or -1. Shape (n + 1,).

    The test on counts (m - k, k), k ≤ m/2, rejects exactly where ``k <= largest_loser(n, alpha)[m]``, since the p-value
    rises with k.
    """
    totals = np.arange(n + 1)
    low = np.full(n + 1, -1, dtype=np.int64)
    high = totals // 2 + 1  # the test does not reject at `high` or is out of range
    while np.any(high - low > 1):
        middle = (low + high) // 2
        rejects = p_value(totals - middle, middle) <= alpha
        rejects &= middle > low
        low = np.where(rejects, middle, low)
        high = np.where(rejects, high, np.maximum(middle, low + 1))
    low.setflags(write=False)
    return low


def always_abstains(n: int, alpha: float) -> bool:
    """Whether PREDICT abstains on every input, because even n votes against none are not significant at ``alpha``."""
    return bool(p_value(n, 0) > alpha)


def smallest_sufficient(alpha: float) -> int:
    """The smallest n at which PREDICT can answer."""
    n = 1
    while always_abstains(n, alpha):
        n += 1
    return n


def top_two(votes: ArrayLike) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """The leading class, its count, the runner-up and its count. A tie goes to the class with the lower number.

    Args:
        votes: counts, shape (N, K) with K ≥ 2.

    Returns:
        Four arrays of shape (N,).
    """
    counts = np.asarray(votes, dtype=np.int64)
    order = np.argsort(-counts, axis=1, kind="stable")[:, :2]
    ordered = np.take_along_axis(counts, order, axis=1)
    return order[:, 0], ordered[:, 0], order[:, 1], ordered[:, 1]


def decide(votes: ArrayLike, alpha: float, abstain: int) -> IntArray:
    """PREDICT's decision on vote counts of shape (N, K): the leading class, or ``abstain``."""
    label, first, _, second = top_two(votes)
    decision: Any = np.where(p_value(first, second) <= alpha, label, abstain)
    return np.asarray(decision, dtype=np.int64)
