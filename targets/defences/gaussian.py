"""Gaussian augmentation: the training of the first smoothed classifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from targets.defences.defence import Defence, Network, Noise


@dataclass(frozen=True)
class Gaussian(Defence):
    """Cross-entropy on noisy images.

    Cohen, Rosenfeld and Kolter 2019, "Certified Adversarial Robustness via Randomized Smoothing", section 3.3,
    https://arxiv.org/abs/1902.02918
    """

    name: ClassVar[str] = "gaussian"
    trained: ClassVar[str] = "trained with"

    def loss(self, network: Network, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """-log F_y(x + δ), averaged over the batch."""
        return functional.cross_entropy(network(noise(images)), labels)
