"""SmoothAdv: adversarial training of the smoothed classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from targets.defences.adversary import ascend, draws, logits_under
from targets.defences.defence import Defence, Network, Noise


@dataclass(frozen=True)
class SmoothAdv(Defence):
    """Cross-entropy on noisy copies of adversarial images, which PGD finds on the mean prediction over the same noise.

    Salman et al. 2019, "Provably Robust Deep Learning via Adversarially Trained Smoothed Classifiers", section 2.2 and
    the pseudocode in appendix B, https://arxiv.org/abs/1906.04584

    PGD begins at the image, with steps of 2ε / T. Every draw of noise is used for training too. The budget is the same
    from the first epoch on, where the authors' code raises it over the first ones.

    Attributes:
        epsilon: ε, ℓ2 budget of the attack, in [0, 1] pixel units.
        steps: T, steps of PGD.
        copies: m, draws of noise for each image.
    """

    name: ClassVar[str] = "smooth-adv"
    trained: ClassVar[str] = "trained by SmoothAdv with"

    epsilon: float = 1.0
    steps: int = 10
    copies: int = 2

    def loss(self, network: Network, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """-log F_y(x̂ + δ_i), averaged over draws and batch, where x̂ raises -log of the mean of F_y(x + δ_i)."""
        deltas = draws(noise, images, self.copies)
        step = 2 * self.epsilon / self.steps
        found = ascend(network, images, labels, deltas, step=step, steps=self.steps, epsilon=self.epsilon)
        logits = logits_under(network, found, deltas)
        return functional.cross_entropy(logits.flatten(0, 1), labels.repeat(self.copies))
