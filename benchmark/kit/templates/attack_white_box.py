"""my-attack: one line on the idea, and where it is from (title, address)."""

from __future__ import annotations

import torch
from torch import Tensor

from attacks import Attack, WhiteBox, register
from targets.noise import Streams


@register("my-attack")
class MyAttack(Attack):
    """Descend to the tie of the two leading classes: this line is shown on the board."""

    # `model` offers noise(images, samples, generator) and logits(images, noise), beside the public facts num_classes,
    # shape, sigma, n and alpha.
    access = WhiteBox

    # Hyper-parameters: each with a type and a default, which is a number, a text, True, False or None. A line without a
    # type would be no hyper-parameter. Users set them in a suite file, or by
    # --set my-attack.steps=20 on the command line.
    steps: int = 10
    samples: int = 100  # of noise, a step

    def __call__(self, model: WhiteBox, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        """Adversarial images (N, C, H, W) in [0, 1], at most epsilon from `images` in ℓ2 norm; N may be 0.

        `labels` are the true labels (N,); the target's own answer may be another. Work on copies, and draw random
        numbers from `generator` only: it has one stream an image, so that results do not depend on the batch.
        """
        adversarial = images.clone()
        if len(images) == 0:
            return adversarial
        for step in range(self.steps):
            points = adversarial.clone().requires_grad_()
            noise = model.noise(points, self.samples, generator)  # (N, samples, C, H, W), scaled by σ already
            logits = model.logits(points, noise)  # (N, samples, K), of the base classifier on points + noise
            top = logits.softmax(-1).mean(1).topk(2, dim=1).values  # the two leading classes of the smoothed one
            (gradient,) = torch.autograd.grad((top[:, 0] - top[:, 1]).sum(), points)
            # Cohen's radius: how far the tie is, if the base classifier were linear. Shorter steps towards the end
            # average the noise of the estimates.
            scores = torch.special.ndtri(top.detach().clamp(1e-6, 1 - 1e-6))
            distance = model.sigma / 2 * (scores[:, 0] - scores[:, 1]) / (1 + step / 3)
            adversarial = _within(adversarial - _per_image(distance) * _unit(gradient), images, epsilon)
        return adversarial


def _within(points: Tensor, images: Tensor, epsilon: float) -> Tensor:
    """The nearest points to these that keep the budget: in the ℓ2 ball of radius epsilon, and in [0, 1]."""
    delta = points - images
    norms = delta.flatten(1).norm(dim=1).clamp_min(1e-12)
    # A hair inside the budget: what rounding puts over it counts as the original.
    return (images + delta * _per_image((epsilon * (1 - 1e-5) / norms).clamp_max(1.0))).clamp(0, 1)


def _unit(direction: Tensor) -> Tensor:
    """Directions (N, C, H, W) of length 1; zero stays zero."""
    return direction / _per_image(direction.flatten(1).norm(dim=1).clamp_min(1e-12))


def _per_image(values: Tensor) -> Tensor:
    """(N,) → (N, 1, 1, 1)."""
    return values[:, None, None, None]
