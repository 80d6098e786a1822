"""Crossing the smoothed decision boundary: normalised gradient descent on the probit gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.access import WhiteBox
from attacks.search.estimates import project, unit, vote_probabilities
from attacks.search.landing import probit_gap
from targets.noise import Streams

CONFIRM = 4
"""Noise samples that confirm a crossing, in those of a step: the first of many noisy steps is soon a lucky one."""

SATURATED = 5.0
"""Probit gap of a few dozen votes without one for another class."""


@dataclass(frozen=True)
class Crossing:
    """Normalised gradient descent with momentum on Φ⁻¹(p_home) - Φ⁻¹(p of the best other class), inside the ball.

    The gap is the smoothed classifier's own measure of distance (it changes by at most 2/σ a unit, and by just that
    where the base classifier is linear), so its gradient keeps its size where p_home is near 1 and the probabilities'
    own vanishes. Momentum averages the noise of the steps' gradients: few samples a step and many steps reach further
    than the reverse.

    Attributes:
        steps: gradient steps.
        samples: noise samples a step.
        step_size: the first step, as a share of epsilon; the steps shrink linearly to a tenth of it.
        momentum: share of the last direction that is kept.
        overshoot: an image is done when the gap is estimated below minus this, and below half of it by fresh noise;
            infinity to go on to the end.
    """

    steps: int
    samples: int
    step_size: float
    momentum: float
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
        """Images (N, C, H, W) in the ball, across the boundary where that was found.

        Args:
            home: the classes to leave, (N,).
            rows: which images to move.
            rival: the classes to reach, (N,); any without.
        """
        adversarial = images.clone()
        velocity = torch.zeros_like(images)
        active = list(rows)
        for step in range(self.steps):
            if not active:
                break
            current = adversarial[active]
            gap, gradient = gap_and_gradient(model, current, active, self.samples, generator, home, rival)
            velocity[active] = self.momentum * velocity[active] + unit(gradient)
            length = self.step_size * epsilon * (1 - 0.9 * step / max(1, self.steps - 1))
            moved = current - length * unit(velocity[active])
            adversarial[active] = project(moved, images[active], epsilon)
            done = [row for row, value in zip(active, gap.tolist(), strict=True) if value < -self.overshoot]
            if done:
                with torch.no_grad():
                    noise = model.noise(adversarial[done], CONFIRM * self.samples, generator, done)
                    confirmed = probit_gap(vote_probabilities(model.logits(adversarial[done], noise, done)), home[done])
                across = {
                    row for row, value in zip(done, confirmed.tolist(), strict=True) if value < -self.overshoot / 2
                }
                active = [row for row in active if row not in across]
        return adversarial


def gap_and_gradient(
    model: WhiteBox,
    points: Tensor,
    rows: Sequence[int],
    samples: int,
    generator: Streams,
    home: Tensor,
    rival: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Estimates of the probit gap (B,) at points (B, C, H, W) and of a direction (B, C, H, W) in which it grows.

    Where hardly a vote is for another class the gap has no gradient to speak of; there it is the gradient of the mean
    logits' margin.

    Args:
        rows: the images that the points belong to.
        home, rival: classes (N,) by image, see :class:`Crossing`.
    """
    chosen = list(rows)
    home, rival = home[chosen], None if rival is None else rival[chosen]
    points = points.detach().requires_grad_()
    logits = model.logits(points, model.noise(points, samples, generator, chosen), chosen)
    gap = probit_gap(vote_probabilities(logits), home, rival)
    mean = logits.mean(1)
    others = mean.scatter(1, home[:, None], -torch.inf)
    other = others.amax(1) if rival is None else others.gather(1, rival[:, None])[:, 0]
    margin = mean.gather(1, home[:, None])[:, 0] - other
    (gradient,) = torch.autograd.grad(torch.where(gap > SATURATED, margin, gap).sum(), points)
    return gap.detach(), gradient
