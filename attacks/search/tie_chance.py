"""Where a target most probably ties, if surrogates know its class probabilities with errors of a known size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from attacks.search.estimates import vote_probabilities
from attacks.search.geometry import project, unit
from attacks.search.probit_gap import half_band
from attacks.search.problem import Problem

DRAWS = 128
"""Random errors for each step; the chance is the mean over them."""

UNLIKELY = 1e-3
"""Added to each chance before the logarithm, which stays finite so. Directions do not depend on it."""


@dataclass(frozen=True)
class TieChance:
    """Gradient ascent, inside the ball, on the chance that the target's PREDICT abstains.

    Φ⁻¹ of the target's class probabilities is modelled as that of the surrogates plus independent normal errors. Where
    the errors are wider than the band of ties, an image at the surrogates' tie mostly misses the target's. The chance
    is higher where several classes are near the lead, since any two of them may be the ones that tie.

    Attributes:
        error: standard deviation of the errors, in each class.
        favour: how much higher Φ⁻¹(p) of the original's class is expected to be at the target: a perturbation made
            for the surrogates moves the target less.
        steps: gradient steps.
        samples: noise samples for each step.
        step_size: length of the first step, as a share of epsilon; the steps shrink linearly to a tenth of it.
        momentum: share of the last direction that is kept.
    """

    error: float
    favour: float
    steps: int = 20
    samples: int = 64
    step_size: float = 0.15
    momentum: float = 0.75

    def __call__(self, problem: Problem, start: Tensor, rows: Sequence[int]) -> Tensor:
        """Images (N, C, H, W) in the ball; those not in ``rows`` as in ``start``.

        Args:
            problem: its model is the surrogates'.
            start: where the ascent begins, (N, C, H, W).
            rows: which images to move.
        """
        model, epsilon, generator = problem.model, problem.epsilon, problem.generator
        result = start.clone()
        chosen = list(rows)
        if not chosen:
            return result
        originals, current = problem.images[chosen], start[chosen]
        favoured = self.favour * one_hot(problem.home[chosen], model.num_classes)
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

    PREDICT abstains where the gap of the top two that n votes show is below the half width b of the band of ties,
    b = 2 :func:`attacks.search.probit_gap.half_band`. Where two classes share the votes, the gap that they show has the
    standard deviation s = 1 / (φ(0) √n). So the chance is the mean over the M errors of Φ((b - gap) / s).
    """
    first, second = (scores[:, None] + errors).topk(2, dim=-1).values.unbind(-1)
    spread = (2 * torch.pi / n) ** 0.5
    result: Tensor = torch.special.ndtr((2 * half_band(n, alpha) - (first - second)) / spread).mean(1)
    return result
