"""The probit gap: how far the class that leads is ahead, in the smoothed classifier's own measure of distance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy.special import ndtri
from torch import Tensor

from attacks.search.estimates import vote_probabilities
from attacks.search.problem import Problem
from targets.binomial import largest_loser

SATURATED = 5.0
"""The gap that a few dozen votes show when none of them is for another class."""


def probit_gap(probabilities: Tensor, home: Tensor, rival: Tensor | None = None) -> Tensor:
    """Φ⁻¹(p_home) - Φ⁻¹(p of the best other class, or of ``rival``), (N,), for probabilities (N, K), classes (N,).

    It is zero at the tie, and changes by at most 2/σ per unit of ℓ2 distance (Salman et al. 2019, "Provably Robust
    Deep Learning via Adversarially Trained Smoothed Classifiers", https://arxiv.org/abs/1906.04584, Lemma 1).
    """
    own = probabilities.gather(1, home[:, None])[:, 0]
    others = probabilities.scatter(1, home[:, None], 0.0)
    other = others.amax(1) if rival is None else others.gather(1, rival[:, None])[:, 0]
    return _difference(own, other)


def boundary_distance(first: Tensor, second: Tensor, sigma: float) -> Tensor:
    """σ/2 (Φ⁻¹(first) - Φ⁻¹(second)), (N,), for probabilities (N,): the distance to the tie, negative beyond it.

    This is the certified radius of Cohen et al. 2019, "Certified Adversarial Robustness via Randomized Smoothing",
    https://arxiv.org/abs/1902.02918, Theorem 1. Where the base classifier is linear with two classes it is exact, and
    a step of this length lands on the tie.
    """
    distance: Tensor = sigma / 2 * _difference(first, second)
    return distance


def half_band(n: int, alpha: float) -> float:
    """Half the probit gap at which PREDICT abstains half of the time, for two classes.

    That is also the distance from the tie there, in σ, where the base classifier is linear.
    """
    sufficient = n - int(largest_loser(n, alpha)[n])
    return float(ndtri(min(sufficient, n - 0.5) / n))


def gap_and_gradient(
    problem: Problem, points: Tensor, rows: Sequence[int], samples: int, rival: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Estimates of the probit gap (B,) at points (B, C, H, W), and of a direction (B, C, H, W) in which it grows.

    Where almost every vote is for ``home`` the gap's gradient vanishes; there the direction is the gradient of the
    mean logits' margin.

    Args:
        rows: the image that each point belongs to, (B,).
        samples: noise samples for each point.
        rival: the class to reach at each image, (N,); without, the best other than ``home``.
    """
    model, chosen = problem.model, list(rows)
    home, rival = problem.home[chosen], None if rival is None else rival[chosen]
    points = points.detach().requires_grad_()
    logits = model.logits(points, model.noise(points, samples, problem.generator, chosen), chosen)
    gap = probit_gap(vote_probabilities(logits), home, rival)
    mean = logits.mean(1)
    others = mean.scatter(1, home[:, None], -torch.inf)
    other = others.amax(1) if rival is None else others.gather(1, rival[:, None])[:, 0]
    margin = mean.gather(1, home[:, None])[:, 0] - other
    (gradient,) = torch.autograd.grad(torch.where(gap > SATURATED, margin, gap).sum(), points)
    return gap.detach(), gradient


def _difference(first: Tensor, second: Tensor) -> Tensor:
    scores = torch.special.ndtri(torch.stack([first, second]).clamp(1e-6, 1 - 1e-6))
    result: Tensor = scores[0] - scores[1]
    return result
