"""The exact abstention condition: P[PREDICT abstains], given the smoothed class probabilities, n and alpha."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from targets.binomial import largest_loser

TOTALS = 97
"""Totals n_A + n_B that are summed over where there are more within five standard deviations."""

NODES = 16
"""Gauss–Legendre nodes across the band of count differences that the test does not reject."""


@lru_cache(maxsize=16)
def _half_width(n: int, alpha: float) -> Tensor:
    """Per total m: half the width of the band of n_A - n_B, around 0, that is not rejected. (n + 1,) float64."""
    loser = torch.from_numpy(np.array(largest_loser(n, alpha)))
    # Differences m - 2k of the counts k that are not rejected are 2 apart, so their cells reach 1 further out.
    return (torch.arange(n + 1) - 2 * loser - 1).double()


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Tensor, Tensor]:
    # Each half by itself: the smaller of the two counts has a corner where they are equal.
    nodes, weights = np.polynomial.legendre.leggauss(NODES // 2)
    half = (1 + nodes) / 2
    nodes, weights = np.concatenate([-half[::-1], half]), np.concatenate([weights[::-1], weights]) / 2
    return torch.from_numpy(nodes), torch.from_numpy(weights)


def log_abstention_probability(probabilities: Tensor, n: int, alpha: float) -> Tensor:
    """log P[PREDICT abstains] for smoothed class probabilities, differentiable, without underflow.

    PREDICT abstains where the top two counts lie in the band that the binomial test does not reject. For a pair
    of classes the counts are trinomial; the sum over the band is taken exactly in the total of the pair (or on an
    odd stride that keeps 97 totals within five standard deviations) and by Gauss–Legendre quadrature across the
    band, and is summed over the pairs among the three largest classes, each time with the probability (normal
    approximation) that the third one's count does not intrude; where it equals the second's, each of the two pairs
    counts half. A fourth class is never taken for one of the top two.

    Args:
        probabilities: (N, K), rows non-negative and summing to 1, K ≥ 2.

    Returns:
        (N,) float64. Absolute error of the probability under 0.004, for n from 100 to 10,000 and up to ten classes,
        ties of three included, where the fourth class is clear of the third. Where it is not, the result is too
        small: by up to 0.09 for a leader above three equal classes, and 0.3 above nine.
    """
    p = probabilities.double().clamp_min(1e-12)
    top = p.topk(min(3, p.shape[1]), dim=1).values
    pairs = [(0, 1, 2), (0, 2, 1), (1, 2, 0)] if top.shape[1] == 3 else [(0, 1, None)]
    parts = [_log_pair(top[:, i], top[:, j], None if k is None else top[:, k], n, alpha) for i, j, k in pairs]
    return torch.stack(parts).logsumexp(0).clamp_max(0.0)


def abstention_probability(probabilities: Tensor, n: int, alpha: float) -> Tensor:
    """P[PREDICT abstains] (N,); see :func:`log_abstention_probability`."""
    return log_abstention_probability(probabilities, n, alpha).exp()


def _log_pair(first: Tensor, second: Tensor, third: Tensor | None, n: int, alpha: float) -> Tensor:
    """log P[(first, second) are the top two and their counts lie in the band], each argument (N,)."""
    both = (first + second).clamp_max(1.0)
    rest = (1.0 - both).clamp_min(1e-12)

    centre = (n * both.detach()).round()
    reach = 5 * (n * both.detach() * rest.detach()).sqrt() + 1
    stride = (2 * reach / TOTALS).ceil()
    stride = stride + (1 - stride % 2)  # an odd stride meets even and odd totals alike
    steps = torch.arange(-(TOTALS // 2), TOTALS // 2 + 1, dtype=torch.float64, device=first.device)
    totals = centre[:, None] + stride[:, None] * steps  # (N, T)
    possible = (totals >= 1) & (totals <= n)
    totals = totals.clamp(1, n)

    nodes, weights = (t.to(first.device) for t in _quadrature())
    width = _half_width(n, alpha).to(first.device)[totals.long()][:, :, None]
    others = n - totals[:, :, None]
    if third is not None:
        q = (third / rest).clamp(1e-12, 1 - 1e-9)[:, None, None]
        intruder = others * q
        # Where the third count is all but determined its limit is a step, which the quadrature needs smooth.
        spread = (others * q * (1 - q) + (width / 32) ** 2).sqrt()
        # Differences at which the third one's count is above the smaller of the two are left out of the quadrature.
        room = totals[:, :, None] - 2 * intruder + 6 * spread
        width = torch.minimum(width, room.clamp_min(1e-3))
    difference = width * nodes  # (N, T, Q)
    a = (totals[:, :, None] + difference) / 2
    b = (totals[:, :, None] - difference) / 2
    log_count = torch.lgamma(torch.tensor(n + 1.0, dtype=torch.float64)) - (
        torch.lgamma(a + 1) + torch.lgamma(b + 1) + torch.lgamma(others + 1)
    )
    log_weight = (width * weights / 2).log() + stride.log()[:, None, None]
    term = log_count + log_weight + a * first.log()[:, None, None] + b * second.log()[:, None, None]
    term = term + others * rest.log()[:, None, None]
    if third is not None:
        term = term + torch.special.log_ndtr((torch.minimum(a, b) - intruder) / spread)
    return term.masked_fill(~possible[:, :, None], -torch.inf).flatten(1).logsumexp(1)
