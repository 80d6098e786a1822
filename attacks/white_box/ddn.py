"""Decoupled direction and norm on the probit gap, then landing.

Rony et al. 2019, "Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial Attacks and Defenses",
https://arxiv.org/abs/1811.09600.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attacks.base import register
from attacks.search.geometry import per_image, project, unit
from attacks.search.walk import GapAt, Nearest, Walk
from attacks.white_box.cross_and_land import CrossAndLand


@dataclass(frozen=True)
class DecoupledDirectionNorm(Walk):
    """Rony et al.'s Algorithm 1: gradients turn the perturbation, and only what was found so far sets its length.

    After each step the perturbation is scaled to a radius, which shrinks where the point before the step was across
    the boundary and grows where it was not. Here the radius starts at epsilon and is never larger.

    Attributes:
        step_size: length of the first step, as a share of epsilon; it falls to a hundredth along a cosine.
        gamma: share by which the radius changes in a step.
        overshoot: see :class:`attacks.search.walk.Nearest`.
    """

    step_size: float
    gamma: float
    overshoot: float

    def walk(self, originals: Tensor, epsilon: float, gap_at: GapAt) -> Tensor:
        """For each image the nearest point found across the boundary, or the last one where none was found."""
        current, nearest = originals, Nearest(originals, self.overshoot)
        radius = originals.new_full((len(originals),), epsilon)
        for step in range(self.steps):
            gap, gradient = gap_at(current)
            _, across = nearest.see(current, gap)
            if step:  # the original itself says nothing about the radius
                radius = (radius * torch.where(across, 1 - self.gamma, 1 + self.gamma)).clamp_max(epsilon)
            length = self.step_size * epsilon * (0.01 + 0.99 * (1 + math.cos(math.pi * step / self.steps)) / 2)
            turned = unit(current - length * unit(gradient) - originals)
            current = project(originals + per_image(radius) * turned, originals, epsilon)
        return nearest.or_else(current)


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
