"""Base classifiers along one direction, whose smoothed class probabilities are known in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from targets import SmoothedClassifier

SHAPE = (1, 8, 8)
DIRECTION = (torch.arange(64) % 2 * 2.0 - 1.0) / 8
"""A unit vector; images up to 4 along it from the centre of the cube stay inside the cube."""


def image_at(*positions: float) -> Tensor:
    """Images (N, 1, 8, 8) in [0, 1], each at a signed distance along DIRECTION from the cube's centre."""
    offsets = torch.tensor(positions, dtype=torch.float32)[:, None] * DIRECTION
    images = 0.5 + offsets.view(-1, *SHAPE)
    assert bool(((images >= 0) & (images <= 1)).all())
    return images


class Slabs(nn.Module):
    """Class k on the k-th slab between parallel hyperplanes at ``cuts`` (ascending) along DIRECTION."""

    def __init__(self, cuts: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("cuts", torch.tensor(list(cuts), dtype=torch.float32))
        self.register_buffer("direction", DIRECTION.clone())

    def forward(self, images: Tensor) -> Tensor:
        position = (images - 0.5).flatten(1) @ self.direction
        return nn.functional.one_hot(torch.bucketize(position, self.cuts), len(self.cuts) + 1).float()


class Linear(nn.Module):
    """Two classes, f = sign(w·x + b): class 0 on the positive side, at a margin that is the image's position."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("direction", DIRECTION.clone())

    def forward(self, images: Tensor) -> Tensor:
        position = (images - 0.5).flatten(1) @ self.direction
        return torch.stack([position, -position], 1)


def linear(sigma: float, name: str = "linear") -> SmoothedClassifier:
    return SmoothedClassifier(Linear(), sigma=sigma, num_classes=2, name=name)


def slab_probabilities(cuts: Sequence[float], position: float, sigma: float) -> np.ndarray:
    """The smoothed class probabilities of ``Slabs(cuts)`` at an image."""
    edges = np.array([-math.inf, *cuts, math.inf])
    return np.diff(norm.cdf((edges - position) / sigma))
