"""Carlini & Wagner's ℓ2 attack for any measure of success.

Carlini & Wagner 2017, "Towards Evaluating the Robustness of Neural Networks", https://arxiv.org/abs/1608.04644,
section VI.A.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.search.geometry import norms, per_image


@dataclass(frozen=True)
class CarliniWagner:
    """Minimise ‖δ‖₂² + c·f(x + δ) over w with x + δ = (tanh w + 1) / 2, by Adam, with a search for c.

    Adam's second moment is the mean over each image, not one for each pixel. With one for each pixel the first steps
    follow the gradient's signs, and the perturbations found are a quarter longer in ℓ2 than they need be. The
    learning rate falls linearly to a tenth of itself.

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
        """The closest successful image found for each original, or the original where there was none.

        Args:
            loss: images (N, C, H, W) → f (N,), to be minimised, and success (N,), boolean.
        """
        unset = torch.full((len(images),), torch.inf, device=images.device)
        const = torch.full_like(unset, self.initial_const)
        low, high = torch.zeros_like(unset), unset
        best, best_norm = images.clone(), unset
        start = torch.atanh((images * 2 - 1).clamp(-1 + 1e-3, 1 - 1e-3))
        for _ in range(self.search_steps):
            w, first, second = start.clone(), torch.zeros_like(start), torch.zeros_like(unset)
            ever = torch.zeros_like(unset, dtype=torch.bool)
            for step in range(1, self.steps + 1):
                w = w.detach().requires_grad_()
                adversarial = (w.tanh() + 1) / 2
                f, success = loss(adversarial)
                norm = norms(adversarial.detach() - images)
                better = success & (norm < best_norm)
                best = torch.where(per_image(better), adversarial.detach(), best)
                best_norm = torch.where(better, norm, best_norm)
                ever |= success
                total = ((adversarial - images) ** 2).flatten(1).sum(1) + const * f
                (gradient,) = torch.autograd.grad(total.sum(), w)
                first = 0.9 * first + 0.1 * gradient
                second = 0.999 * second + 0.001 * gradient.square().flatten(1).mean(1)
                scale = (second / (1 - 0.999**step)).sqrt() + 1e-8
                rate = self.learning_rate * (1 - 0.9 * (step - 1) / self.steps)
                w = w - rate * first / (1 - 0.9**step) / per_image(scale)
            high = torch.where(ever, torch.minimum(high, const), high)
            low = torch.where(ever, low, torch.maximum(low, const))
            const = torch.where(high.isinf(), const * 10, (low + high) / 2)
        return best
