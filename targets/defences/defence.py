"""What a defence is: a loss on a batch of clean images, the network and the noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar

from torch import Tensor

Network = Callable[[Tensor], Tensor]
"""Images (N, C, H, W) → logits (N, K), float32."""

Noise = Callable[[Tensor], Tensor]
"""Images → the images with fresh N(0, σ²I) noise added, not clipped."""


class Defence(ABC):
    """A training method. Subclasses are frozen dataclasses: their fields are the method's hyper-parameters."""

    name: ClassVar[str]

    @abstractmethod
    def loss(self, network: Network, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """The mean loss of a batch, to be minimised.

        Args:
            network: the base classifier in training.
            images: (N, C, H, W) in [0, 1], augmented, without noise.
            labels: (N,).
            noise: adds fresh Gaussian noise of the target's σ.
        """

    @property
    def identity(self) -> dict[str, Any]:
        """The name and the hyper-parameters: what tells one training from another."""
        return {"training": self.name, **asdict(self)}  # type: ignore[call-overload]
