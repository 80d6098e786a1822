"""The adversary's own images, as directions: those in which natural images differ are those a classifier looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OwnImages:
    """Principal directions of the adversary's images, and where they expect a smoothed classifier's gradient.

    Attributes:
        images: (M, D), those that the directions come from.
        directions: (D, m), orthonormal.
        coordinates: (M, m), the images' along the directions.
        weights: (m,), sum 1: the share of the gradient's square that is expected along each direction.
        extent: the images' root mean square distance from their mean.
    """

    images: Floats
    directions: Floats
    coordinates: Floats
    weights: Floats
    extent: float

    @classmethod
    def of(cls, images: Tensor, sigma: float, count: int, dimensions: int, decay: float) -> OwnImages:
        """The directions of ``count`` images, evenly spaced among (M, C, H, W).

        Noise of variance σ² hides a direction in which images differ by less, and a classifier trained with that
        noise makes no use of it: the linear discriminant's weights fall with λ / (λ + σ²), λ the images' variance
        along the direction. On CIFAR-10 at σ = 0.5 the gradient's square falls with its power 1.5.

        Args:
            dimensions: how many directions at most.
            decay: the power.
        """
        chosen = torch.arange(min(count, len(images))) * len(images) // min(count, len(images))
        flat = images[chosen].flatten(1).double().cpu()
        centred = flat - flat.mean(0)
        if len(flat) < flat.shape[1]:
            variances, vectors = torch.linalg.eigh(centred @ centred.T / len(flat))
            directions = centred.T @ vectors
        else:
            variances, directions = torch.linalg.eigh(centred.T @ centred / len(flat))
        kept = [i for i in reversed(range(len(variances))) if variances[i] > 1e-9 * variances[-1]][:dimensions]
        directions, variances = directions[:, kept], variances[kept]
        # A direction has no sign of its own; libraries differ in the one they give.
        largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
        directions = directions / directions.norm(dim=0) * largest.sign()
        weights = (variances / (variances + sigma**2)) ** decay
        extent = float((centred**2).sum(1).mean().sqrt())
        return cls(
            images=flat.numpy(),
            directions=directions.numpy(),
            coordinates=(flat @ directions).numpy(),
            weights=(weights / weights.sum()).numpy(),
            extent=extent,
        )

    def towards(self, image: Floats, count: int) -> list[Floats]:
        """Displacements (D,) from an image (D,) to own images of different look, the nearest of them first.

        Near is what the classifier should find alike: distances are those along the weighted directions.
        """
        apart = (self.coordinates - image @ self.directions) ** 2 @ self.weights
        order = np.argsort(apart, kind="stable")[: 8 * count : 8]
        return [self.images[i] - image for i in order]
