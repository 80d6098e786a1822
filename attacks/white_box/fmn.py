"""The fast minimum-norm attack on the smoothed margin, then landing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attacks.access import WhiteBox
from attacks.base import register
from attacks.search.crossing import gap_and_gradient
from attacks.search.estimates import norms, per_image, project, unit
from attacks.white_box.cross_and_land import CrossAndLand
from targets.noise import Streams


@dataclass(frozen=True)
class FastMinimumNorm:
    """Pintor et al. 2021, Algorithm 1 for ℓ2: a radius that shrinks beyond the boundary and grows before it.

    The radius is never larger than epsilon. Before anything was across, it grows by the distance at which the gap
    would close if it went on falling as steeply as now. What is across by an estimate of few samples may not be by
    the truth, so it must be across by ``overshoot``.

    Attributes:
        steps, samples, overshoot: see :class:`attacks.search.crossing.Crossing`.
        step_size: the first step, as a share of epsilon; falls to a tenth along a cosine.
        gamma: share by which the radius changes in the first step; falls likewise.
    """

    steps: int
    samples: int
    step_size: float
    gamma: float
    overshoot: float

    def __call__(
        self,
        model: WhiteBox,
        images: Tensor,
        home: Tensor,
        epsilon: float,
        generator: Streams,
        rows: Sequence[int],
        rival: Tensor | None = None,
    ) -> Tensor:
        """For each image the nearest one found across the boundary, or the last of the search where none was."""
        chosen = list(rows)
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
            gap, gradient = gap_and_gradient(model, current, chosen, self.samples, generator, home, rival)
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
    """Fast minimum-norm attack (Pintor et al. 2021) on the smoothed classifier's probit gap, then landing."""

    version: ClassVar[int] = 2
    steps: int = 24
    step_size: float = 0.5
    gamma: float = 0.2

    def search(self) -> FastMinimumNorm:
        """See :meth:`CrossAndLand.search`."""
        return FastMinimumNorm(self.steps, self.samples, self.step_size, self.gamma, self.overshoot)
