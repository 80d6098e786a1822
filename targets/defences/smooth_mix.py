"""SmoothMix: mixes images with their adversarial ones, and predictions with the uniform one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from targets.defences.adversary import SMALLEST, ascend, draws, logits_under
from targets.defences.defence import Defence, Network, Noise


@dataclass(frozen=True)
class SmoothMix(Defence):
    """Cross-entropy on noisy copies, plus the divergence of predictions on the way to an adversarial image from a mix.

    Jeong et al. 2021, "SmoothMix: Training Confidence-calibrated Smoothed Classifiers for Certified Robustness",
    section 3, https://arxiv.org/abs/2111.09277

    The attack has no budget. The weight is the same from the first epoch on, where the authors' code raises it over the
    first ones. Their variant that also replaces the clean image by a one-step adversarial one is left out.

    Attributes:
        weight: η, weight of the divergence.
        step: α, ℓ2 length of a step of the attack, in [0, 1] pixel units. The authors take 0.5, 1 and 2 at σ = 0.25,
            0.5 and 1.
        steps: T, steps of the attack.
        copies: m, draws of noise for each image.
    """

    name: ClassVar[str] = "smooth-mix"
    trained: ClassVar[str] = "trained by SmoothMix with"

    weight: float = 5.0
    step: float = 1.0
    steps: int = 4
    copies: int = 2

    def loss(self, network: Network, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """E[-log F_y(x + δ)] + η E[1{F̂(x) answers y} KL((1 - λ) F̂(x) + λ/K ‖ F((1 - λ) x + λ x̃ + δ))].

        F̂ is the mean prediction over the draws δ, x̃ the adversarial image, and λ uniform on [0, ½].
        """
        deltas = draws(noise, images, self.copies)
        adversarial = ascend(network, images, labels, deltas, step=self.step, steps=self.steps)
        logits = logits_under(network, images, deltas)
        cross_entropy = functional.cross_entropy(logits.flatten(0, 1), labels.repeat(self.copies))
        mean = functional.softmax(logits, dim=2).mean(0)  # (N, K)
        share = noise.uniform(len(images)).to(images) / 2
        wide = share[:, None, None, None]
        mixed = (1 - wide) * images + wide * adversarial
        wanted = (1 - share[:, None]) * mean + share[:, None] / mean.shape[1]
        found = functional.log_softmax(logits_under(network, mixed, deltas), dim=2)  # (m, N, K)
        divergence = (wanted * (wanted.clamp(min=SMALLEST).log() - found)).sum(2)
        right = mean.argmax(1) == labels
        return cross_entropy + self.weight * (right * divergence).mean()
