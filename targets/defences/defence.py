"""What a defence is: a training loss, given a batch of clean images, the network and the noise."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

from torch import Tensor


class Network(Protocol):
    """The base classifier in training."""

    def __call__(self, images: Tensor, /) -> Tensor:
        """Logits (N, K), float32, of images (N, C, H, W)."""

    def evaluating(self) -> AbstractContextManager[None]:
        """A context in which it is in evaluation mode, as an attack finds it."""


class Noise(Protocol):
    """The random numbers of a training, which a resumed training draws again."""

    @property
    def sigma(self) -> float:
        """σ, in [0, 1] pixel units."""

    def __call__(self, images: Tensor, /) -> Tensor:
        """Images (N, C, H, W) with N(0, σ²I) noise added, not clipped. Each call draws new noise."""

    def uniform(self, count: int) -> Tensor:
        """Fresh uniform numbers (count,) in [0, 1), on the CPU."""


class Defence(ABC):
    """A training method.

    Subclasses are frozen dataclasses whose fields are the method's hyper-parameters. The first line of a subclass's
    docstring says what the loss is, and its second paragraph where it was published, with the address. Model cards
    print both.
    """

    name: ClassVar[str]
    trained: ClassVar[str]
    """How lists of targets say it, before "noise of σ = …"."""

    @abstractmethod
    def loss(self, network: Network, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """The mean loss of a batch, a scalar that training minimises.

        Args:
            network: the base classifier in training.
            images: (N, C, H, W) in [0, 1], augmented, without noise.
            labels: (N,) in 0 … K-1.
            noise: adds fresh Gaussian noise of the target's σ.
        """

    def summary(self) -> str:
        """What the loss is, in one line."""
        return (inspect.getdoc(type(self)) or "").partition("\n")[0]

    def source(self) -> str:
        """Where the method was published: authors, title and address."""
        return " ".join((inspect.getdoc(type(self)) or "").split("\n\n")[1].split())

    @property
    def identity(self) -> dict[str, Any]:
        """The name and the hyper-parameters, which tell one training from another."""
        return {"training": self.name, **asdict(self)}  # type: ignore[call-overload]
