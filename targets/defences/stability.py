"""Stability training: the prediction for a noisy image is pulled towards that for the clean image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from targets.defences.defence import Defence, Network, Noise


@dataclass(frozen=True)
class Stability(Defence):
    """Cross-entropy on clean images, plus the cross-entropy between the clean and the noisy prediction.

    Li, Chen, Wang and Carin 2019, "Certified Adversarial Robustness with Additive Noise", section 4.3,
    https://arxiv.org/abs/1809.03113, with the weight that Jeong and Shin 2020 compare with,
    https://arxiv.org/abs/2006.04062

    Attributes:
        weight: λ, weight of the cross-entropy between the two predictions.
    """

    name: ClassVar[str] = "stability"
    trained: ClassVar[str] = "trained for stable answers under"

    weight: float = 2.0

    def loss(self, network: Network, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """-log F_y(x) - λ Σ_c F_c(x) log F_c(x + δ), averaged over the batch; its gradient flows through both."""
        clean = network(images)
        answers = functional.softmax(clean, dim=1)
        unstable = functional.cross_entropy(network(noise(images)), answers)
        return functional.cross_entropy(clean, labels) + self.weight * unstable
