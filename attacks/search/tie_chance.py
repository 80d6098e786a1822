"""Where a classifier known through others, with errors, most probably ties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from attacks.access import WhiteBox
from attacks.search.estimates import project, unit, vote_probabilities
from attacks.search.landing import half_band
from targets.noise import Streams

DRAWS = 128
"""Errors that a step's chance is a mean over."""

UNLIKELY = 1e-3
"""Added to each chance before the logarithm, so that it stays finite. Directions do not depend on it."""


@dataclass(frozen=True)
class TieChance:
    """Gradient ascent, inside the ball, on the chance that PREDICT abstains under errors in the class probabilities.

    Φ⁻¹ of the other classifier's class probabilities is taken for this one's plus independent normal errors. Where
    errors are wider than the band of ties, landing on this classifier's tie is mostly landing beside the other's;
    the chance favours points where several classes are near the lead, any two of which may be the ones that tie.

    Attributes:
        error: the errors' standard deviation, in each class.
        favour: by how much the class of the original is expected to lie higher there: what is made for this classifier
            moves the other less.
        steps: gradient steps.
        samples: noise samples a step.
        step_size: the first step, as a share of epsilon; the steps shrink linearly to a tenth of it.
        momentum: share of the last direction that is kept.
    """

    error: float
    favour: float
    steps: int = 20
    samples: int = 64
    step_size: float = 0.15
    momentum: float = 0.75

    def __call__(
        self,
        model: WhiteBox,
        images: Tensor,
        start: Tensor,
        home: Tensor,
        epsilon: float,
        generator: Streams,
        rows: Sequence[int],
    ) -> Tensor:
        """Images (N, C, H, W) in the ball around ``images``.

        Args:
            start: where the ascent begins, (N, C, H, W).
            home: the class of each original, (N,).
            rows: which images to move.
        """
        result = start.clone()
        chosen = list(rows)
        if not chosen:
            return result
        originals, current = images[chosen], start[chosen]
        favoured = self.favour * one_hot(home[chosen], model.num_classes)
        velocity = torch.zeros_like(current)
        for step in range(self.steps):
            points = current.detach().requires_grad_()
            logits = model.logits(points, model.noise(points, self.samples, generator, chosen), chosen)
            scores = torch.special.ndtri(vote_probabilities(logits).clamp(1e-6, 1 - 1e-6)) + favoured
            errors = self.error * generator.normal((DRAWS, model.num_classes), chosen).to(scores)
            chance = tie_chance(scores, errors, model.n, model.alpha)
            (gradient,) = torch.autograd.grad((chance + UNLIKELY).log().sum(), points)
            velocity = self.momentum * velocity + unit(gradient)
            length = self.step_size * epsilon * (1 - 0.9 * step / max(1, self.steps - 1))
            current = project(current + length * unit(velocity), originals, epsilon)
        result[chosen] = current
        return result


def tie_chance(scores: Tensor, errors: Tensor, n: int, alpha: float) -> Tensor:
    """Chance (N,) that PREDICT abstains, for class probabilities Φ(``scores`` + ``errors``), (N, K) and (N, M, K).

    The mean over the M errors of Φ((b - gap) / s). PREDICT abstains where n votes show a gap of the top two below the
    band's half width, b = 2 :func:`attacks.search.landing.half_band`, and they show it with a standard deviation of
    s = 1 / (φ(0) √n) where two classes share them.
    """
    first, second = (scores[:, None] + errors).topk(2, dim=-1).values.unbind(-1)
    spread = (2 * torch.pi / n) ** 0.5
    result: Tensor = torch.special.ndtr((2 * half_band(n, alpha) - (first - second)) / spread).mean(1)
    return result
