"""The fast minimum-norm attack on the probit gap, then landing.

Pintor et al. 2021, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints",
https://arxiv.org/abs/2102.12827.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attacks.base import register
from attacks.search.geometry import norms, per_image, project, unit
from attacks.search.probit_gap import gap_and_gradient
from attacks.search.problem import Problem
from attacks.white_box.cross_and_land import CrossAndLand


@dataclass(frozen=True)
class FastMinimumNorm:
    """Pintor et al.'s Algorithm 1 for ℓ2: a radius that shrinks beyond the boundary and grows before it.

    The radius is never larger than epsilon. Until a point is across, the radius grows by the distance at which the gap
    would close if it kept its present slope. A gap estimated from few samples may be below zero by chance, so a point
    counts as across only where the estimate is below -overshoot.

    Attributes:
        steps, samples, overshoot: see :class:`attacks.search.crossing.Crossing`.
        step_size: length of the first step, as a share of epsilon; it falls to a tenth along a cosine.
        gamma: share by which the radius changes in the first step; it falls likewise.
    """

    steps: int
    samples: int
    step_size: float
    gamma: float
    overshoot: float

    def __call__(self, problem: Problem, rows: Sequence[int], rival: Tensor | None = None) -> Tensor:
        """For each of ``rows`` the nearest point found across the boundary, or the last one where none was found."""
        images, epsilon, chosen = problem.images, problem.epsilon, list(rows)
        best = images.clone()
        if not chosen:
            return best
        originals = images[chosen]
        current = originals.clone()
        radius = images.new_zeros(len(chosen))
        nearest = torch.full_like(radius, torch.inf)
        found = originals.clone()
        for step in range(self.steps):
            anneal = 0.1 + 0.9 * (1 + math.cos(math.pi * step / self.steps)) / 2
            gap, gradient = gap_and_gradient(problem, current, chosen, self.samples, rival)
            norm, across = norms(current - originals), gap < -self.overshoot
            closer = across & (norm < nearest)
            nearest = torch.where(closer, norm, nearest)
            found = torch.where(per_image(closer), current, found)
            ever = nearest.isfinite()
            closing = norm + ((gap + self.overshoot) / norms(gradient).clamp_min(1e-12)).float()
            grown = torch.where(ever, radius * (1 + self.gamma * anneal), closing)
            shrunk = torch.minimum(radius * (1 - self.gamma * anneal), nearest)
            radius = torch.where(across, shrunk, grown).clamp(0, epsilon)
            moved = current - self.step_size * epsilon * anneal * unit(gradient) - originals
            scale = (radius / norms(moved).clamp_min(1e-12)).clamp_max(1)
            current = project(originals + per_image(scale) * moved, originals, epsilon)
        best[chosen] = torch.where(per_image(nearest.isfinite()), found, current)
        return best


@register("fmn")
class FMN(CrossAndLand):
    """Fast minimum-norm attack (Pintor et al. 2021) across the smoothed boundary, then a line search to the tie."""

    version: ClassVar[int] = 2
    steps: int = 24
    step_size: float = 0.5
    gamma: float = 0.2

    def search(self) -> FastMinimumNorm:
        """See :meth:`CrossAndLand.search`."""
        return FastMinimumNorm(self.steps, self.samples, self.step_size, self.gamma, self.overshoot)
