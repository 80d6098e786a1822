"""Decoupled direction and norm on the probit gap, then landing.

Rony et al. 2019, "Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial Attacks and Defenses",
https://arxiv.org/abs/1811.09600.
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
class DecoupledDirectionNorm:
    """Rony et al.'s Algorithm 1: gradients turn the perturbation, and only what was found so far sets its length.

    After each step the perturbation is scaled to a radius, which shrinks where the point before the step was across
    the boundary and grows where it was not. Here the radius starts at epsilon and is never larger. As in
    :class:`attacks.white_box.fmn.FastMinimumNorm`, a point counts as across only where the gap is estimated below
    -overshoot.

    Attributes:
        steps, samples, overshoot: see :class:`attacks.search.crossing.Crossing`.
        step_size: length of the first step, as a share of epsilon; it falls to a hundredth along a cosine.
        gamma: share by which the radius changes in a step.
    """

    steps: int
    samples: int
    step_size: float
    gamma: float
    overshoot: float

    def __call__(self, problem: Problem, rows: Sequence[int], rival: Tensor | None = None) -> Tensor:
        """For each of ``rows`` the nearest point found across the boundary, or the last one where none was found."""
        images, epsilon, chosen = problem.images, problem.epsilon, list(rows)
        result = images.clone()
        if not chosen:
            return result
        originals = images[chosen]
        current = originals.clone()
        radius = images.new_full((len(chosen),), epsilon)
        nearest = torch.full_like(radius, torch.inf)
        found = originals.clone()
        for step in range(self.steps):
            gap, gradient = gap_and_gradient(problem, current, chosen, self.samples, rival)
            norm, across = norms(current - originals), gap < -self.overshoot
            closer = across & (norm < nearest)
            nearest = torch.where(closer, norm, nearest)
            found = torch.where(per_image(closer), current, found)
            if step:  # the original itself says nothing about the radius
                radius = (radius * torch.where(across, 1 - self.gamma, 1 + self.gamma)).clamp_max(epsilon)
            length = self.step_size * epsilon * (0.01 + 0.99 * (1 + math.cos(math.pi * step / self.steps)) / 2)
            turned = unit(current - length * unit(gradient) - originals)
            current = project(originals + per_image(radius) * turned, originals, epsilon)
        result[chosen] = torch.where(per_image(nearest.isfinite()), found, current)
        return result


@register("ddn")
class DDN(CrossAndLand):
    """Decoupled direction and norm (Rony et al. 2019) across the smoothed boundary, then a line search to the tie."""

    version: ClassVar[int] = 1
    steps: int = 24
    step_size: float = 1.0
    gamma: float = 0.05

    def search(self) -> DecoupledDirectionNorm:
        """See :meth:`CrossAndLand.search`."""
        return DecoupledDirectionNorm(self.steps, self.samples, self.step_size, self.gamma, self.overshoot)
