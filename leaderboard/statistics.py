"""The board's statistics: an interval for a rate, a paired test, and what chance allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def rate(k: int, n: int) -> float | None:
    """The rate of `k` hits in `n` trials, in [0, 1]; None without trials."""
    return k / n if n else None


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval, within [0, 1], for the rate behind `k` hits in `n` trials.

    (0, 1) where n = 0. Clopper and Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of
    the binomial", Biometrika 26(4), https://doi.org/10.1093/biomet/26.4.404.
    """
    from scipy.special import betaincinv

    if not 0 <= k <= n:
        raise ValueError(f"{k} hits in {n} trials")
    tail = (1 - confidence) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return low, high


def mcnemar(b: int, c: int) -> float:
    """Exact two-sided p-value that two paired rates are equal, given the two counts of discordant pairs.

    Under that hypothesis b ~ Binomial(b + c, 1/2). 1 where no pair differs.
    McNemar (1947), "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12(2), https://doi.org/10.1007/BF02295996.
    """
    from scipy.special import bdtr

    if b == c:  # also both 0
        return 1.0
    return min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in the same order: below α, the chance of any false one is at most α.

    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure", https://www.jstor.org/stable/4615733.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def exceeds(k: int, n: int, other_k: int, other_n: int) -> float:
    """Exact one-sided p-value of `k` hits in `n` trials against `other_k` in `other_n`, if the rates are equal.

    Small where the first rate is higher. Given the number of all hits, `k` is then hypergeometric. Fisher (1935), "The
    Design of Experiments".
    """
    from scipy.stats import hypergeom

    return float(hypergeom.sf(k - 1, n + other_n, k + other_k, n))


def binomial_quantile(quantile: float, n: int, p: float) -> int:
    """Smallest count that Binomial(n, p) does not exceed with probability `quantile`; p is cut to [0, 1]."""
    from scipy.stats import binom

    return int(binom.ppf(quantile, n, min(max(p, 0.0), 1.0))) if n else 0


def sum_quantile(quantile: float, trials: Mapping[float, int]) -> int:
    """The same of a sum of independent binomials, one of `trials[p]` trials for each probability p."""
    import numpy as np
    from scipy.stats import binom

    if len(trials) == 1:
        [(p, n)] = trials.items()
        return binomial_quantile(quantile, n, p)
    density = np.ones(1)
    for p, n in sorted(trials.items()):
        largest = binomial_quantile(1 - 1e-12, n, p)
        density = np.convolve(density, binom.pmf(np.arange(largest + 1), n, min(max(p, 0.0), 1.0)))
    return int(np.searchsorted(np.cumsum(density), quantile))
