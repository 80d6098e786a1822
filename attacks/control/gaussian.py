"""Control: a random direction."""

from __future__ import annotations

from torch import Tensor

from attacks.access import NoAccess
from attacks.base import Attack, register
from attacks.search.geometry import project, unit
from targets.noise import Streams


@register("gaussian")
class Gaussian(Attack):
    """Control: a random direction of norm ε (shorter where clipping to [0, 1] shortens it)."""

    access = NoAccess

    def __call__(self, model: NoAccess, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        direction = generator.normal(images.shape[1:]).to(images.device)
        return project(images + epsilon * unit(direction), images, epsilon)
