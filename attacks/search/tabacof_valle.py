"""Tabacof & Valle's attack: box-constrained L-BFGS on the distance and the log-probability of the wanted class.

Tabacof & Valle 2016, "Exploring the Space of Adversarial Images", https://arxiv.org/abs/1510.05328.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.search.lockstep import Evaluate, lockstep

FloatArray = NDArray[np.float64]


class _Stop(Exception):
    """Leaves SciPy's optimiser at the first image that meets both conditions."""


@dataclass(frozen=True)
class TabacofValle:
    """Minimise ‖δ‖₂ subject to p(abstain) ≥ ``confidence`` and x + δ ∈ [0, 1], by SciPy's L-BFGS-B.

    The objective is c·‖δ‖₂² - log p; c grows tenfold as long as the image found is too far away. The search stops as
    soon as p ≥ ``confidence`` and ‖δ‖₂ ≤ ε both hold, as in the seed paper. Each image has an optimiser of its own;
    their objectives are evaluated together.

    Attributes:
        confidence: the probability of abstention to reach.
        initial_const: the first c.
        search_steps: values of c tried.
        evaluations: most evaluations of the objective for each of them.
    """

    confidence: float
    initial_const: float
    search_steps: int
    evaluations: int

    def __call__(self, log_p: Callable[[Tensor, Sequence[int]], Tensor], images: Tensor, epsilon: float) -> Tensor:
        """Images (N, C, H, W): the first that met both conditions; where none did, the closest that reached
        ``confidence``, which is over the budget; where none did, the last that was tried.

        Args:
            log_p: (points (B, C, H, W), their rows in ``images``) → log p(abstain) (B,), differentiable,
                deterministic, and a function of each point alone.
            images: originals (N, C, H, W) in [0, 1].
            epsilon: the ℓ2 budget, in [0, 1] pixel units.
        """
        origins = images.detach().cpu().double().flatten(1).numpy()
        found = origins.copy()

        def evaluate(rows: Sequence[int], points: FloatArray) -> tuple[FloatArray, FloatArray]:
            batch = torch.from_numpy(points.astype(np.float32)).view(len(rows), *images.shape[1:])
            batch = batch.to(images.device).requires_grad_()
            values = log_p(batch, rows)
            (gradient,) = torch.autograd.grad(values.sum(), batch)
            return values.detach().cpu().double().numpy(), gradient.flatten(1).cpu().double().numpy()

        workers = [self._search(origin, result, epsilon) for origin, result in zip(origins, found, strict=True)]
        lockstep(workers, evaluate)
        # Rounding to float32 can put a pixel slightly outside the box.
        result = torch.from_numpy(found.astype(np.float32)).view(images.shape)
        return result.clamp(0, 1).to(images.device)

    def _search(self, origin: FloatArray, found: FloatArray, epsilon: float) -> Callable[[Evaluate], None]:
        """One image's search; it writes its result into ``found`` (D,)."""
        from scipy.optimize import minimize

        wanted = float(np.log(self.confidence))

        def search(log_p: Evaluate) -> None:
            const = self.initial_const
            scale, nearest = 0.0, np.inf
            confident = origin

            def objective(x: FloatArray) -> tuple[float, FloatArray]:
                nonlocal scale, nearest, confident
                value, gradient = log_p(x)
                # L-BFGS-B's first step is the gradient itself. Unscaled it is hundreds of times longer than the box,
                # which would clip it to a corner, far from the direction of steepest descent.
                scale = scale or epsilon / max(float(np.linalg.norm(gradient)), 1e-12)
                found[:] = x
                delta = x - origin
                distance = float(delta @ delta)
                if value >= wanted and distance <= epsilon**2:
                    raise _Stop
                if value >= wanted and distance < nearest:
                    nearest, confident = distance, x.copy()
                return scale * (const * distance - value), scale * (2 * const * delta - gradient)

            limits = {"maxfun": self.evaluations, "maxiter": self.evaluations}
            try:
                for _ in range(self.search_steps):
                    bounds = [(0.0, 1.0)] * origin.size
                    minimize(objective, origin, jac=True, method="L-BFGS-B", bounds=bounds, options=limits)
                    const *= 10
            except _Stop:
                return
            if np.isfinite(nearest):
                found[:] = confident

        return search
