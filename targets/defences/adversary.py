"""Attacks on a smoothed classifier in training: steps that lower its mean prediction of the label, on fixed noise.

Salman et al. 2019, "Provably Robust Deep Learning via Adversarially Trained Smoothed Classifiers", section 2.2,
https://arxiv.org/abs/1906.04584
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from targets.defences.defence import Network, Noise

SMALLEST = 1e-20
"""Predictions below it count as it, so that their logarithm is finite."""


def draws(noise: Noise, images: Tensor, copies: int) -> list[Tensor]:
    """Noise for ``copies`` noisy copies of images (N, C, H, W), to be used more than once."""
    return [noise(torch.zeros_like(images)) for _ in range(copies)]


def logits_under(network: Network, images: Tensor, deltas: Sequence[Tensor]) -> Tensor:
    """Logits (m, N, K) of images (N, C, H, W) under each of m draws of noise, in one pass."""
    logits: Tensor = network(torch.cat([images + delta for delta in deltas])).unflatten(0, (len(deltas), -1))
    return logits


def ascend(
    network: Network,
    images: Tensor,
    labels: Tensor,
    deltas: Sequence[Tensor],
    *,
    step: float,
    steps: int,
    epsilon: float | None = None,
) -> Tensor:
    """Adversarial images (N, C, H, W) in [0, 1]: steps of fixed length up the gradient of -log F̂_y(x).

    F̂ is the mean prediction over the draws of noise. The network is in evaluation mode meanwhile.

    Args:
        images: where to start, (N, C, H, W) in [0, 1].
        labels: y (N,).
        deltas: m draws of noise, the same for all steps.
        step: ℓ2 length of a step, in [0, 1] pixel units. An image whose gradient is 0 stays where it is.
        epsilon: ℓ2 budget; None for none.
    """
    point = images.detach()
    with network.evaluating():
        for _ in range(steps):
            start = point.clone().requires_grad_()
            mean = functional.softmax(logits_under(network, start, deltas), dim=2).mean(0)
            loss = functional.nll_loss(mean.clamp(min=SMALLEST).log(), labels, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, start)
            point = (point + step * gradient / _norms(gradient)).clamp(0, 1)
            if epsilon is not None:  # a shorter perturbation stays in [0, 1]
                change = point - images
                point = images + change * (epsilon / _norms(change)).clamp(max=1)
    return point


def _norms(images: Tensor) -> Tensor:
    """ℓ2 norms (N, 1, 1, 1), above 0."""
    norms: Tensor = images.flatten(1).norm(dim=1).clamp(min=SMALLEST)
    return norms[:, None, None, None]
