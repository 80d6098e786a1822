"""PREDICT's abstention probability the long way: every outcome of the votes, SciPy's test on each."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import gammaln, xlogy
from scipy.stats import binom


@cache
def answers(n: int, alpha: float) -> np.ndarray:
    """Whether counts (a, b) are told apart by the exact two-sided binomial test: (n + 1, n + 1) of bool."""
    a, b = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    return np.minimum(1.0, 2 * binom.cdf(np.minimum(a, b), a + b, 0.5)) <= alpha


def abstains(counts: np.ndarray, alpha: float) -> np.ndarray:
    """PREDICT's abstention on counts (N, K), all rows of one total."""
    top = np.sort(counts, axis=1)[:, -2:]
    return ~answers(int(counts[0].sum()), alpha)[top[:, 1], top[:, 0]]


def trinomial(p: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """All counts of three classes, (M, 3), and their probabilities, (M,)."""
    a, b = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    inside = a + b <= n
    counts = np.stack([a[inside], b[inside], n - a[inside] - b[inside]], axis=1)
    log_p = gammaln(n + 1) - gammaln(counts + 1).sum(1) + xlogy(counts, p).sum(1)
    return counts, np.exp(log_p)


def exact_abstention(probabilities: np.ndarray | list[float], n: int, alpha: float) -> float:
    """P[PREDICT abstains] for two or three classes."""
    p = np.asarray(probabilities, dtype=float)
    if len(p) == 2:
        first = np.arange(n + 1)
        undecided = np.minimum(1.0, 2 * binom.cdf(np.minimum(first, n - first), n, 0.5)) > alpha
        return float(binom.pmf(first, n, p[0])[undecided].sum())
    counts, weight = trinomial(p / p.sum(), n)
    return float(weight[abstains(counts, alpha)].sum())


def simulated_abstention(p: np.ndarray | list[float], n: int, alpha: float, draws: int, seed: int = 0) -> float:
    """The frequency of PREDICT's abstention over multinomial votes."""
    counts = np.random.default_rng(seed).multinomial(n, np.asarray(p) / np.sum(p), size=draws)
    top = np.partition(counts, -2, axis=1)[:, -2:]
    pairs, times = np.unique(top[:, 1] * (n + 1) + top[:, 0], return_counts=True)
    first, second = pairs // (n + 1), pairs % (n + 1)
    undecided = np.minimum(1.0, 2 * binom.cdf(second, first + second, 0.5)) > alpha
    return float(times[undecided].sum() / draws)
