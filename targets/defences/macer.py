"""MACER: training without attacks that maximises a soft version of the certified radius."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from targets.defences.adversary import draws, logits_under
from targets.defences.defence import Defence, Network, Noise


@dataclass(frozen=True)
class Macer(Defence):
    """Cross-entropy of the mean prediction over noisy copies, plus a hinge on the certified radius of correct images.

    Zhai et al. 2020, "MACER: Attack-free and Scalable Robust Training via Maximizing Certified Radius", algorithm 1,
    https://arxiv.org/abs/2001.02378

    Attributes:
        weight: λ, weight of the hinge.
        copies: k, noisy copies of each image.
        scale: β, inverse temperature of the softmax in the radius.
        margin: γ, where the hinge ends, in units of Φ⁻¹.
    """

    name: ClassVar[str] = "macer"
    trained: ClassVar[str] = "trained by MACER with"

    weight: float = 12.0
    copies: int = 16
    scale: float = 16.0
    margin: float = 8.0

    def loss(self, network: Network, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """-log F̂_y(x) + λ σ/2 (γ - ξ), the second where Ĝ answers y and |ξ| ≤ γ; averaged over the batch.

        F̂ is the mean softmax of the logits over the copies, Ĝ that of β times the logits, and ξ = Φ⁻¹(Ĝ's largest
        value) - Φ⁻¹(its second largest).
        """
        logits = logits_under(network, images, draws(noise, images, self.copies))
        mean = functional.softmax(logits, dim=2).mean(0)  # (N, K)
        classification = functional.nll_loss((mean + 1e-10).log(), labels, reduction="sum")
        values, classes = functional.softmax(self.scale * logits, dim=2).mean(0).topk(2, dim=1)
        with torch.no_grad():  # without infinite quantiles, whose gradients are NaN
            quantiles = torch.special.ndtri(values)
            distance = quantiles[:, 0] - quantiles[:, 1]
            counted = (classes[:, 0] == labels) & quantiles.isfinite().all(1) & (distance.abs() <= self.margin)
        quantiles = torch.special.ndtri(values[counted])
        hinge = (self.margin - (quantiles[:, 0] - quantiles[:, 1])).sum()
        total: Tensor = classification + self.weight * noise.sigma / 2 * hinge
        return total / len(images)
