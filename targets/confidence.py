"""Confidence bounds on a class probability from its votes, and the certificate that CERTIFY makes of one.

Cohen, Rosenfeld and Kolter 2019, "Certified Adversarial Robustness via Randomized Smoothing", section 3.2.2,
https://arxiv.org/abs/1902.02918. The bounds are the exact binomial ones of Clopper and Pearson 1934, "The use of
confidence or fiducial limits illustrated in the case of the binomial", https://doi.org/10.1093/biomet/26.4.404
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from targets.stopping import ABSTAIN


def certificate(
    selected: NDArray[np.int64], counts: NDArray[np.int64], sigma: float, alpha: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """CERTIFY's answer, from votes.

    Args:
        selected: the class (N,) of each image that its radius is computed for, chosen on other noise than ``counts``.
        counts: votes (N, K).
        sigma: standard deviation of the noise behind them, in [0, 1] pixel units.
        alpha: the probability, in (0, 1), with which the certificate of an image may be wrong.

    Returns:
        Labels (N,), ``ABSTAIN`` where the lower bound is no more than ½, and ℓ2 radii (N,) in pixel units, 0 there.
    """
    hits = np.take_along_axis(counts, selected[:, None], axis=1)[:, 0] if len(counts) else selected
    p_low = lower_confidence_bound(hits, counts.sum(1), alpha)
    certified = p_low > 0.5
    labels = np.where(certified, selected, ABSTAIN)
    radii = np.where(certified, sigma * ndtri(np.where(certified, p_low, 0.5)), 0.0)
    return labels, radii


def lower_confidence_bound(k: NDArray[np.int64], n: NDArray[np.int64], alpha: float) -> NDArray[np.float64]:
    """LOWERCONFBOUND: the one-sided (1 - ``alpha``) Clopper–Pearson lower bound for ``k`` successes of ``n``.

    Args:
        k, n: of one shape; 0 ≤ k ≤ n.

    Returns:
        Bounds in [0, 1] of that shape; 0 where k is 0.
    """
    with np.errstate(invalid="ignore"):
        bound: NDArray[np.float64] = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, alpha), 0.0)
    return bound


def upper_confidence_bound(k: NDArray[np.int64], n: NDArray[np.int64], alpha: float) -> NDArray[np.float64]:
    """The one-sided (1 - ``alpha``) Clopper–Pearson upper bound for ``k`` successes of ``n``; 1 where k is n."""
    with np.errstate(invalid="ignore"):
        bound: NDArray[np.float64] = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), 1 - alpha), 1.0)
    return bound
