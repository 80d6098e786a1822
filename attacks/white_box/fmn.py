"""The fast minimum-norm attack on the probit gap, then landing.

Pintor et al. 2021, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints",
https://arxiv.org/abs/2102.12827.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attacks.base import register
from attacks.search.geometry import norms, per_image, project, unit
from attacks.search.walk import GapAt, Nearest, Walk
from attacks.white_box.cross_and_land import CrossAndLand


@dataclass(frozen=True)
class FastMinimumNorm(Walk):
    """Pintor et al.'s Algorithm 1 for ℓ2: a radius that shrinks beyond the boundary and grows before it.

    The radius is never larger than epsilon. Until a point is across, the radius grows by the distance at which the gap
    would close if it kept its present slope.

    Attributes:
        step_size: length of the first step, as a share of epsilon; it falls to a tenth along a cosine.
        gamma: share by which the radius changes in the first step; it falls likewise.
        overshoot: see :class:`attacks.search.walk.Nearest`.
    """

    step_size: float
    gamma: float
    overshoot: float

    def walk(self, originals: Tensor, epsilon: float, gap_at: GapAt) -> Tensor:
        """For each image the nearest point found across the boundary, or the last one where none was found."""
        current, nearest = originals, Nearest(originals, self.overshoot)
        radius = originals.new_zeros(len(originals))
        for step in range(self.steps):
            anneal = 0.1 + 0.9 * (1 + math.cos(math.pi * step / self.steps)) / 2
            gap, gradient = gap_at(current)
            norm, across = nearest.see(current, gap)
            closing = norm + ((gap + self.overshoot) / norms(gradient).clamp_min(1e-12)).float()
            grown = torch.where(nearest.norm.isfinite(), radius * (1 + self.gamma * anneal), closing)
            shrunk = torch.minimum(radius * (1 - self.gamma * anneal), nearest.norm)
            radius = torch.where(across, shrunk, grown).clamp(0, epsilon)
            moved = current - self.step_size * epsilon * anneal * unit(gradient) - originals
            scale = (radius / norms(moved).clamp_min(1e-12)).clamp_max(1)
            current = project(originals + per_image(scale) * moved, originals, epsilon)
        return nearest.or_else(current)


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
