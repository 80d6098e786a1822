"""An ensemble: several networks, each trained with noise, that answer with the mean of their logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from targets.defences.defence import Defence, Network, Noise
from targets.defences.gaussian import Gaussian


@dataclass(frozen=True)
class Ensemble(Defence):
    """Cross-entropy on noisy images for each of several networks, whose mean logits are the base classifier's.

    Horváth, Müller, Fischer and Vechev 2022, "Boosting Randomized Smoothing with Variance Reduced Classifiers",
    section 4, https://arxiv.org/abs/2106.06946

    The networks share nothing: they differ in their random start, the order of their images and their noise. The base
    classifier costs as many times one network as there are members.

    Attributes:
        members: k, the number of networks.
    """

    name: ClassVar[str] = "ensemble"
    trained: ClassVar[str] = "mean of three trained with"

    members: int = 3

    def loss(self, network: Network, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """-log F_y(x + δ) of one member, averaged over the batch."""
        return Gaussian().loss(network, images, labels, noise)
