"""Auto-PGD on the probit gap, then landing.

Croce & Hein 2020, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks",
https://arxiv.org/abs/2003.01690.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attacks.base import register
from attacks.search.geometry import per_image, project, unit
from attacks.search.walk import GapAt, Walk
from attacks.white_box.cross_and_land import CrossAndLand


@dataclass(frozen=True)
class AutoPGD(Walk):
    """Croce & Hein's Algorithm 1 for ℓ2: momentum, and a step length that halves when it no longer makes progress.

    At some steps, the checkpoints, an image's step length is halved and its search restarts from its best point. That
    happens where fewer than ``rho`` of the steps since the last checkpoint lowered the gap, or where neither the best
    gap nor the step length has changed since. The gap is an estimate, so some of these decisions are chance.

    Attributes:
        rho: share of steps that must lower the gap; 0.75 in the paper.
    """

    rho: float

    def walk(self, originals: Tensor, epsilon: float, gap_at: GapAt) -> Tensor:
        """For each image the point of the lowest gap by estimates."""
        length = torch.full((len(originals),), 2 * epsilon, device=originals.device)
        current, previous = originals, originals
        gap, gradient = gap_at(current)
        best, lowest, at_best = current.clone(), gap.clone(), gradient.clone()
        lowered = torch.zeros_like(lowest)
        kept_length, kept_lowest = length.clone(), lowest.clone()
        checkpoints = checkpoint_steps(self.steps)
        for step in range(1, self.steps):
            free = project(current - per_image(length) * unit(gradient), originals, epsilon)
            share = 1.0 if step == 1 else 0.75
            moved = current + share * (free - current) + (1 - share) * (current - previous)
            previous, current = current, project(moved, originals, epsilon)
            last = gap
            gap, gradient = gap_at(current)
            lowered += gap < last
            better = gap < lowest
            lowest = torch.where(better, gap, lowest)
            best = torch.where(per_image(better), current, best)
            at_best = torch.where(per_image(better), gradient, at_best)
            if step in checkpoints:
                stuck = (lowered < self.rho * checkpoints[step]) | ((length == kept_length) & (lowest >= kept_lowest))
                kept_length, kept_lowest = length.clone(), lowest.clone()
                length = torch.where(stuck, length / 2, length)
                current = torch.where(per_image(stuck), best, current)
                previous = torch.where(per_image(stuck), best, previous)
                gradient = torch.where(per_image(stuck), at_best, gradient)
                gap = torch.where(stuck, lowest, gap)
                lowered.zero_()
        return best


def checkpoint_steps(steps: int) -> dict[int, int]:
    """Croce & Hein's checkpoints: the step of each → the number of steps since the one before."""
    shares, found, last = [0.0, 0.22], {}, 0
    while shares[-1] < 1:
        at = math.ceil(round(shares[-1] * steps, 9))
        if at > last:
            found[at] = at - last
            last = at
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return found


@register("apgd")
class APGD(CrossAndLand):
    """Auto-PGD (Croce & Hein 2020) across the smoothed decision boundary, then a line search back to the tie."""

    version: ClassVar[int] = 2
    steps: int = 24
    rho: float = 0.75

    def search(self) -> AutoPGD:
        """See :meth:`CrossAndLand.search`."""
        return AutoPGD(self.steps, self.samples, self.rho)
