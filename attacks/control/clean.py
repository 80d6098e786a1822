"""Control: the image as it is."""

from __future__ import annotations

from torch import Tensor

from attacks.access import NoAccess
from attacks.base import Attack, register
from targets.noise import Streams


@register("clean")
class Clean(Attack):
    """Control: the unchanged image, evaluated on fresh noise."""

    access = NoAccess

    def __call__(self, model: NoAccess, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        return images.clone()
