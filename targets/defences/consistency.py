"""Consistency regularisation: the predictions for noisy copies of an image are pulled towards their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from targets.defences.defence import Defence, Network, Noise


@dataclass(frozen=True)
class Consistency(Defence):
    """Cross-entropy on noisy copies, plus the predictions' divergence from their mean and the mean's entropy.

    Jeong and Shin 2020, "Consistency Regularization for Certified Robustness of Smoothed Classifiers", equations 7
    and 8, https://arxiv.org/abs/2006.04062

    Attributes:
        weight: λ, weight of the divergence of each copy's prediction from the mean prediction.
        entropy: η, weight of the mean prediction's entropy.
        copies: m, noisy copies of each image in a step.
    """

    name: ClassVar[str] = "consistency"
    trained: ClassVar[str] = "trained for consistent answers under"

    weight: float = 10.0
    entropy: float = 0.5
    copies: int = 2

    def loss(self, network: Network, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """E[-log F_y(x + δ)] + λ E[KL(F̂(x) ‖ F(x + δ))] + η H(F̂(x)), where F̂(x) is the copies' mean prediction."""
        noisy = torch.cat([noise(images) for _ in range(self.copies)])
        logits = network(noisy)
        cross_entropy = functional.cross_entropy(logits, labels.repeat(self.copies))
        logs = functional.log_softmax(logits, dim=1).unflatten(0, (self.copies, -1))  # (m, N, K)
        mean = logs.exp().mean(0)
        log_mean = mean.clamp(min=1e-20).log()
        negative_entropy = (mean * log_mean).sum(1)  # (N,)
        divergence = negative_entropy - (mean * logs.mean(0)).sum(1)
        regular: Tensor = (self.weight * divergence - self.entropy * negative_entropy).mean()
        return cross_entropy + regular
