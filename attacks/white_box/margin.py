"""The seed paper's proposal: minimise the squared difference of the top two probabilities.

Covington, "Towards Inducing Abstention in Certified Defense (Maybe)".
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from attacks.access import Access, WhiteBox
from attacks.base import Attack, register
from attacks.search.estimates import vote_probabilities
from attacks.search.geometry import norms, per_image, project, unit
from attacks.search.probit_gap import boundary_distance
from targets.noise import Streams


@register("margin")
class Margin(Attack):
    """Gradient descent on (p_A - p_B)², the squared difference of the smoothed top two probabilities (Covington).

    The gradient is normalised. No step is longer than the distance at which the two classes would tie if the base
    classifier were linear, so the search does not step over the tie. At the end come a few Newton steps along the
    ray from the original image, with more noise samples and no gradients.

    Attributes:
        steps: gradient steps.
        samples: noise samples for each gradient step.
        step_size: longest gradient step, as a share of epsilon; it falls linearly to a tenth of that.
        settle_steps: Newton steps along the ray.
        settle_samples: noise samples for each Newton step.
        temperature: of the softmax whose gradients are followed.
    """

    access: ClassVar[type[Access]] = WhiteBox
    steps: int = 12
    samples: int = 64
    step_size: float = 0.5
    settle_steps: int = 3
    settle_samples: int = 300
    temperature: float = 1.0

    def __call__(self, model: WhiteBox, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        adversarial = images.clone()
        if len(images) == 0:
            return adversarial
        for step in range(self.steps):
            longest = self.step_size * epsilon * (1 - 0.9 * step / max(1, self.steps - 1))
            current = adversarial.detach().requires_grad_()
            noise = model.noise(images, self.samples, generator)
            p = vote_probabilities(model.logits(current, noise), self.temperature)
            top = p.topk(2, dim=1).values
            margin = top[:, 0] - top[:, 1]
            (gradient,) = torch.autograd.grad((margin**2).sum(), current)
            distance = boundary_distance(top[:, 0], top[:, 1], model.sigma).detach().clamp(max=longest)
            adversarial = project(current.detach() - per_image(distance) * unit(gradient), images, epsilon)
        return self._settle(model, images, adversarial, epsilon, generator)

    def _settle(
        self, model: WhiteBox, images: Tensor, adversarial: Tensor, epsilon: float, generator: Streams
    ) -> Tensor:
        """Newton steps for the tie along the ray from each image through its adversarial image."""
        direction = unit(adversarial - images)
        length = norms(adversarial - images)
        with torch.no_grad():
            # The class that leads at the original tells the near side of the tie from the far one.
            noise = model.noise(images, self.samples, generator)
            home = vote_probabilities(model.logits(images, noise)).argmax(1, keepdim=True)
            for step in range(self.settle_steps):
                noise = model.noise(images, self.settle_samples, generator)
                p = vote_probabilities(model.logits(adversarial, noise))
                first = p.gather(1, home)[:, 0]
                second = p.scatter(1, home, 0.0).max(1).values
                # Damped, so that the noise of the estimates averages out over the steps.
                distance = boundary_distance(first, second, model.sigma) / (1 + step)
                length = (length + distance.clamp(-epsilon / 2, epsilon / 2)).clamp(0, epsilon)
                adversarial = project(images + per_image(length) * direction, images, epsilon)
        return adversarial
