"""What the white-box attacks share: estimates of the smoothed classifier's probabilities, and geometry."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def soft_probabilities(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean softmax (N, K) of logits (N, S, K): a smooth stand-in for the vote frequencies."""
    return (logits / temperature).softmax(-1).mean(1)


def vote_probabilities(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Vote frequencies (N, K) of logits (N, S, K), with the gradient of :func:`soft_probabilities`.

    The value is what PREDICT counts, shrunk by one soft vote so that no probability is 0 and ties of hard votes
    are broken softly; the hard votes' own gradient is zero almost everywhere, so the soft one stands in for it
    (a straight-through estimator).
    """
    samples, classes = logits.shape[1:]
    soft = soft_probabilities(logits, temperature)
    hard = one_hot(logits.argmax(-1), classes).to(soft.dtype).sum(1)
    value = (hard + soft.detach()) / (samples + 1)
    return value + soft - soft.detach()


def boundary_distance(first: Tensor, second: Tensor, sigma: float) -> Tensor:
    """σ/2 (Φ⁻¹(first) - Φ⁻¹(second)): the distance to the tie, negative beyond it.

    Cohen et al. 2019, Theorem 1's radius. It is exact where the base classifier is linear with two classes; there
    it is the step that lands on the tie.
    """
    scores = torch.special.ndtri(torch.stack([first, second]).clamp(1e-6, 1 - 1e-6))
    distance: Tensor = sigma / 2 * (scores[0] - scores[1])
    return distance


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
    """The ℓ2 ball of radius ``epsilon`` around ``images``, then [0, 1].

    Clipping to the box moves each pixel towards the original, so it never leaves the ball.
    """
    delta = adversarial - images
    # A hair inside, so that rounding in float32 does not put it over the harness's budget.
    scale = (epsilon * (1 - 1e-5) / norms(delta).clamp_min(1e-12)).clamp_max(1.0)
    return (images + delta * per_image(scale)).clamp(0, 1)
