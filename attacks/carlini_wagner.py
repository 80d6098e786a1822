"""Carlini & Wagner's ℓ2 formulation (2017, section VI.A) for any measure of success."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.smoothed import norms, per_image


@dataclass(frozen=True)
class CarliniWagner:
    """Minimise ‖δ‖₂² + c·f(x + δ) over w with x + δ = (tanh w + 1) / 2, by Adam, with a search for c.

    Attributes:
        search_steps: values of c tried, a factor of 10 apart until success is bracketed, then bisected.
        steps: Adam steps for each.
        learning_rate: Adam's, in the space of w.
        initial_const: the first c.
    """

    search_steps: int
    steps: int
    learning_rate: float
    initial_const: float

    def __call__(self, loss: Callable[[Tensor], tuple[Tensor, Tensor]], images: Tensor) -> Tensor:
        """The closest successful image met for each, or the original where none was.

        Args:
            loss: images (N, C, H, W) → f (N,), to be minimised, and success (N,), boolean.
        """
        unset = torch.full((len(images),), torch.inf, device=images.device)
        const = torch.full_like(unset, self.initial_const)
        low, high = torch.zeros_like(unset), unset
        best, best_norm = images.clone(), unset
        start = torch.atanh((images * 2 - 1).clamp(-1 + 1e-3, 1 - 1e-3))
        for _ in range(self.search_steps):
            w = start.clone().requires_grad_()
            optimizer = torch.optim.Adam([w], lr=self.learning_rate)
            ever = torch.zeros_like(unset, dtype=torch.bool)
            for _ in range(self.steps):
                adversarial = (w.tanh() + 1) / 2
                f, success = loss(adversarial)
                norm = norms(adversarial.detach() - images)
                better = success & (norm < best_norm)
                best = torch.where(per_image(better), adversarial.detach(), best)
                best_norm = torch.where(better, norm, best_norm)
                ever |= success
                total = ((adversarial - images) ** 2).flatten(1).sum(1) + const * f
                optimizer.zero_grad()
                total.sum().backward()
                optimizer.step()
            high = torch.where(ever, torch.minimum(high, const), high)
            low = torch.where(ever, low, torch.maximum(low, const))
            const = torch.where(high.isinf(), const * 10, (low + high) / 2)
        return best
