"""Control: nothing is changed."""

from __future__ import annotations

from torch import Tensor

from attacks.access import NoAccess
from attacks.base import Attack, register
from targets.noise import Streams


@register("clean")
class Clean(Attack):
    """Control: the image unchanged, evaluated on fresh noise."""

    access = NoAccess

    def __call__(self, model: NoAccess, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        return images.clone()
