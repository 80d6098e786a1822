"""Crossing the smoothed decision boundary by normalised gradient descent on the probit gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.search.estimates import probabilities
from attacks.search.geometry import project, unit
from attacks.search.probit_gap import gap_and_gradient, probit_gap
from attacks.search.problem import Problem

CONFIRM = 4
"""Noise samples that confirm a crossing, as a multiple of a step's. Of many noisy steps one soon crosses by luck."""


@dataclass(frozen=True)
class Crossing:
    """Gradient descent with momentum on Φ⁻¹(p_home) - Φ⁻¹(p of the best other class), inside the ball.

    The gap changes by at most 2/σ per unit of distance, and by just that where the base classifier is linear. So its
    gradient keeps its size where p_home is near 1, while the gradient of the probabilities vanishes. Each step has a
    fixed length; momentum averages the noise of the gradients, so many steps of few samples reach further than few
    steps of many.

    Attributes:
        steps: gradient steps.
        samples: noise samples for each step.
        step_size: length of the first step, as a share of epsilon; the steps shrink linearly to a tenth of it.
        momentum: share of the last direction that is kept.
        overshoot: an image is done when its gap is estimated below -overshoot, and fresh noise confirms that it is
            below half of that. Infinity goes on for all steps.
    """

    steps: int
    samples: int
    step_size: float
    momentum: float
    overshoot: float

    def __call__(self, problem: Problem, rows: Sequence[int], rival: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in the ball, across the boundary where the search found a way.

        Args:
            rows: which images to move.
            rival: the class to reach at each, (N,); without, any other than ``home``.
        """
        images, epsilon = problem.images, problem.epsilon
        adversarial = images.clone()
        velocity = torch.zeros_like(images)
        active = list(rows)
        for step in range(self.steps):
            if not active:
                break
            current = adversarial[active]
            gap, gradient = gap_and_gradient(problem, current, active, self.samples, rival)
            velocity[active] = self.momentum * velocity[active] + unit(gradient)
            length = self.step_size * epsilon * (1 - 0.9 * step / max(1, self.steps - 1))
            moved = current - length * unit(velocity[active])
            adversarial[active] = project(moved, images[active], epsilon)
            done = [row for row, value in zip(active, gap.tolist(), strict=True) if value < -self.overshoot]
            if done:
                across = self._confirmed(problem, adversarial, done)
                active = [row for row in active if row not in across]
        return adversarial

    def _confirmed(self, problem: Problem, adversarial: Tensor, rows: list[int]) -> set[int]:
        """Which of ``rows`` are across by fresh noise."""
        estimates = probabilities(problem.model, problem.generator)
        gap = probit_gap(estimates(adversarial[rows], rows, CONFIRM * self.samples), problem.home[rows])
        return {row for row, value in zip(rows, gap.tolist(), strict=True) if value < -self.overshoot / 2}
