"""Lengths and directions of batches of images, the ℓ2 ball and the box."""

from __future__ import annotations

from torch import Tensor

from attacks.budget import INSIDE


def norms(delta: Tensor) -> Tensor:
    """ℓ2 norms (N,) of perturbations (N, C, H, W)."""
    result: Tensor = delta.flatten(1).norm(dim=1)
    return result


def per_image(values: Tensor) -> Tensor:
    """(N,) → (N, 1, 1, 1), to scale images by."""
    return values[:, None, None, None]


def unit(direction: Tensor) -> Tensor:
    """Directions (N, C, H, W) scaled to ℓ2 norm 1; zero stays zero."""
    return direction / per_image(norms(direction).clamp_min(1e-12))


def project(adversarial: Tensor, images: Tensor, epsilon: float) -> Tensor:
    """Into the ℓ2 ball of radius ``epsilon`` around ``images``, then into [0, 1].

    Clipping to the box moves each pixel towards the original, so the result stays in the ball.
    """
    delta = adversarial - images
    scale = (epsilon * INSIDE / norms(delta).clamp_min(1e-12)).clamp_max(1.0)
    return (images + delta * per_image(scale)).clamp(0, 1)
