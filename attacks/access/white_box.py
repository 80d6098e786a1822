"""Access to everything: the base classifier's logits and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from attacks.access.base import Access, Deployment
from attacks.access.meter import Meter
from targets.noise import Streams


class NoGradient(RuntimeError):
    """A white-box attack asked for gradients of logits that have none to give."""


class WhiteBox(Access):
    """The smoothed classifier itself: logits under noise, with gradients with respect to the images."""

    kind = "white-box"

    def __init__(self, logits: Callable[[Tensor], Tensor], deployment: Deployment, meter: Meter) -> None:
        super().__init__(deployment, meter)
        self._logits = logits

    def noise(self, images: Tensor, samples: int, generator: Streams, rows: Sequence[int] | None = None) -> Tensor:
        """Smoothing noise (B, samples, C, H, W), each image's from its own generator. Costs nothing."""
        return self.sigma * generator.normal((samples, *images.shape[1:]), self.rows(images, rows)).to(images.device)

    def logits(self, images: Tensor, noise: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """The base classifier's logits (B, samples, K) on images (B, C, H, W) + noise (B, samples, C, H, W).

        Differentiable with respect to ``images``. The meter counts forward samples at the call and backward samples
        whenever a gradient flows; of the gradients that arrive at the images, it counts those that are zero
        everywhere and those that are not finite.

        Raises:
            NoGradient: gradients are asked for, and the base classifier's logits do not depend on its input.
        """
        chosen = self.rows(images, rows)
        samples = noise.shape[1]
        self._meter.charge(chosen, forward=samples)
        if images.shape[0] == 0:
            return images.new_zeros((0, samples, self.num_classes))
        points = images.unsqueeze(1)  # a tensor of this call alone, whose gradient is observed
        flat = self._logits((points + noise).flatten(0, 1))
        logits = flat.view(len(images), samples, self.num_classes)
        if points.requires_grad and not logits.requires_grad:
            raise NoGradient(
                "the base classifier's logits are detached from its input, so it gives no gradients; see docs/checks.md"
            )
        if points.requires_grad:
            points.register_hook(lambda gradient: self._meter.observe(chosen, gradient))
        if logits.requires_grad:
            logits.register_hook(lambda _: self._meter.charge(chosen, backward=samples))
        return logits
