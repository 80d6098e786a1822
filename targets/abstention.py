"""The exact abstention condition: P[PREDICT abstains], given the smoothed class probabilities, n and alpha."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from targets.binomial import largest_loser

TOTALS = 97
"""Totals n_A + n_B that are summed over where there are more within five standard deviations."""

NODES = 16
"""Gauss–Legendre nodes across the band of count differences that the test does not reject."""

NEGLIGIBLE = 150.0
"""A pair of classes so much less probable than another, in logarithms, is left out: beside the other it is below the
rounding of every sum, and of every gradient that float32 can hold."""


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
    if top.shape[1] == 2:
        return _log_pair(top[:, 0], top[:, 1], None, n, alpha).clamp_max(0.0)
    first, second, third = top.unbind(1)
    leading = _log_pair(first, second, third, n, alpha)
    others = [_log_pair(x, y, z, n, alpha, leading) for x, y, z in ((first, third, second), (second, third, first))]
    return torch.stack([leading, *others]).logsumexp(0).clamp_max(0.0)


def abstention_probability(probabilities: Tensor, n: int, alpha: float) -> Tensor:
    """P[PREDICT abstains] (N,); see :func:`log_abstention_probability`."""
    return log_abstention_probability(probabilities, n, alpha).exp()


def _log_pair(
    first: Tensor, second: Tensor, third: Tensor | None, n: int, alpha: float, leading: Tensor | None = None
) -> Tensor:
    """log P[(first, second) are the top two and their counts lie in the band], each argument (N,).

    Where it is proven to be next to nothing beside ``leading``, it is -∞.
    """
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

    width = _half_width(n, alpha).to(first.device)[totals.long()][:, :, None]
    others = n - totals[:, :, None]
    intruder = spread = None
    if third is not None:
        q = (third / rest).clamp(1e-12, 1 - 1e-9)[:, None, None]
        intruder = others * q
        # Where the third count is all but determined its limit is a step, which the quadrature needs smooth.
        spread = (others * q * (1 - q) + (width / 32) ** 2).sqrt()
        # Differences at which the third one's count is above the smaller of the two are left out of the quadrature.
        room = totals[:, :, None] - 2 * intruder + 6 * spread
        width = torch.minimum(width, room.clamp_min(1e-3))
    log_first, log_second, log_rest = (p.log()[:, None, None] for p in (first, second, rest))
    band = _Band(
        n=n,
        totals=totals[:, :, None],
        others=others,
        impossible=~possible[:, :, None],
        width=width,
        log_others=torch.lgamma(others + 1),
        log_stride=stride.log()[:, None, None],
        log_first=log_first,
        log_second=log_second,
        log_rest=log_rest,
        intruder=intruder,
        spread=spread,
    )
    if leading is None:
        return band.log_sum()
    rows = (band.most() > leading.detach() - NEGLIGIBLE).nonzero()[:, 0]
    nothing = torch.full_like(both, -torch.inf)
    return nothing.index_put((rows,), band.of(rows).log_sum()) if len(rows) else nothing


@dataclass(frozen=True)
class _Band:
    """Counts of a pair of classes in the band, by their total: (N, T, 1), and (N, 1, 1) what a row has one of.

    Attributes:
        totals, others: what both have together, and all other classes.
        impossible: totals that stand for none.
        width: half the band's.
        log_others: log Γ(others + 1).
        log_stride: of the totals.
        log_first, log_second, log_rest: log probabilities of the two classes and of all others.
        intruder, spread: mean and deviation of the third class's count.
    """

    n: int
    totals: Tensor
    others: Tensor
    impossible: Tensor
    width: Tensor
    log_others: Tensor
    log_stride: Tensor
    log_first: Tensor
    log_second: Tensor
    log_rest: Tensor
    intruder: Tensor | None
    spread: Tensor | None

    def of(self, rows: Tensor) -> _Band:
        """Those rows of it."""
        parts: dict[str, Any] = {name: value[rows] for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **parts)

    def log_sum(self) -> Tensor:
        """Log of the sum over totals and across the band, (N,)."""
        nodes, weights = (t.to(self.totals.device) for t in _quadrature())
        difference = self.width * nodes  # (N, T, Q)
        a = (self.totals + difference) / 2
        b = (self.totals - difference) / 2
        log_a, log_b = _LogGammas.apply(a + 1, b + 1)
        log_count = torch.lgamma(torch.tensor(self.n + 1.0, dtype=torch.float64)) - (log_a + log_b + self.log_others)
        log_weight = (self.width * weights / 2).log() + self.log_stride
        term = log_count + log_weight + a * self.log_first + b * self.log_second
        term = term + self.others * self.log_rest
        if self.intruder is not None and self.spread is not None:
            term = term + torch.special.log_ndtr((torch.minimum(a, b) - self.intruder) / self.spread)
        result: Tensor = term.masked_fill(self.impossible, -torch.inf).flatten(1).logsumexp(1)
        return result

    @torch.no_grad()
    def most(self) -> Tensor:
        """No less than :meth:`log_sum`, (N,), for a fraction of its price.

        Of a total the likeliest counts are those in the proportion of the two classes, or the nearest to it in the band
        (the logarithm is concave in them), and the third class intrudes least where they are equal; there
        log Φ(z) < -z²/2 for z < 0. The likeliest counts are off by less than one, which is worth less than 1.
        """
        share = 1 / (1 + (self.log_second - self.log_first).exp())
        a = (self.totals * share).clamp(min=(self.totals - self.width) / 2, max=(self.totals + self.width) / 2)
        b = self.totals - a
        log_count = math.lgamma(self.n + 1) - (torch.lgamma(a + 1) + torch.lgamma(b + 1) + self.log_others)
        term = log_count + self.width.log() + self.log_stride + a * self.log_first + b * self.log_second
        term = term + self.others * self.log_rest
        if self.intruder is not None and self.spread is not None:
            term = term - ((self.totals / 2 - self.intruder) / self.spread).clamp_max(0.0) ** 2 / 2
        return term.masked_fill(self.impossible, -torch.inf).flatten(1).amax(1) + math.log(TOTALS * NODES) + 1


class _LogGammas(torch.autograd.Function):
    """log Γ of two counts (N, T, Q) of which one, read backwards, is the other: one is enough to know both."""

    @staticmethod
    def forward(ctx: Any, count: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(count)
        found = torch.lgamma(count)
        return found, found.flip(-1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        slope = ctx.saved_tensors[0].digamma()
        return gradients[0] * slope, gradients[1] * slope.flip(-1)
