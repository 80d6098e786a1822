"""my-attack: one line on the idea, and where it is from (title, address)."""

from __future__ import annotations

from torch import Tensor

from attacks import Attack, NoAccess, register
from targets.noise import Streams


@register("my-attack")
class MyAttack(Attack):
    """A random direction: this line is shown on the board."""

    # Without access `model` offers the public facts alone: num_classes, shape, sigma, n, alpha.
    access = NoAccess

    # Hyper-parameters: each with a type and a default, which is a number, a text, True, False or None. A line without a
    # type would be no hyper-parameter. Users set them in a suite file, or by
    # --set my-attack.length=0.5 on the command line.
    length: float = 1.0  # as a share of epsilon

    def __call__(self, model: NoAccess, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        """Adversarial images (N, C, H, W) in [0, 1], at most epsilon from `images` in ℓ2 norm; N may be 0.

        `labels` are the true labels (N,); the target's own answer may be another. Work on copies, and draw random
        numbers from `generator` only: it has one stream an image, so that results do not depend on the batch.
        """
        direction = generator.normal(images.shape[1:]).to(images)
        norms = direction.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None]
        # A hair inside the budget: what rounding puts over it counts as the original.
        step = self.length * epsilon * (1 - 1e-5) / norms
        adversarial: Tensor = images + step * direction
        return adversarial.clamp(0, 1)
