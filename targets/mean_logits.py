"""Several networks as one base classifier: the mean of their logits, and how its members are trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from targets.defences import Defence, Ensemble


class MeanLogits(nn.Module):
    """The mean of the logits of networks of one architecture.

    Args:
        build: makes one network.
        members: how many.
    """

    def __init__(self, build: Callable[[], nn.Module], members: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(build() for _ in range(members))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W)."""
        total: Tensor = self.members[0](images)
        for member in self.members[1:]:
            total = total + member(images)
        return total / len(self.members)


def networks(module: nn.Module, seed: int) -> list[tuple[nn.Module, int]]:
    """The networks of a base classifier that are trained one by one, each with a seed of its own.

    Member i of k has the seed k · seed + i, so two ensembles of different seeds share no order of images and no noise.

    Args:
        seed: of the whole training. A base classifier that is no ensemble is trained with it.
    """
    if not isinstance(module, MeanLogits):
        return [(module, seed)]
    return [(member, len(module.members) * seed + i) for i, member in enumerate(module.members)]


def trained_by(defence: Defence, build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """What makes a defence's base classifier from networks of one architecture: an ensemble, or one network."""
    return partial(MeanLogits, build, defence.members) if isinstance(defence, Ensemble) else build
