"""Directions of low frequency. A smoothed classifier's gradient mostly lies in them, and few queries search them.

They are the waves of the discrete cosine transform over channels, height and width, the lowest first. Guo et al. 2019,
"Low Frequency Adversarial Perturbation", https://arxiv.org/abs/1809.08758, attack black boxes in their span.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

Shape = tuple[int, int, int]
"""(C, H, W)."""


def cosines(size: int) -> Tensor:
    """The orthonormal DCT-II (size, size): a wave in each row, the lowest first."""
    order = torch.arange(size, dtype=torch.float64)[:, None]
    place = torch.arange(size, dtype=torch.float64) + 0.5
    rows = torch.cos(math.pi / size * order * place) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows


@lru_cache(maxsize=8)
def _lowest_first(shape: Shape) -> list[tuple[int, int, int]]:
    """The orders (channel, row, column) of all waves, sorted by spatial frequency.

    Waves of colour count at twice their frequency: image formats store colour at half the resolution, since shapes are
    seen by brightness.
    """
    channels, height, width = shape
    every = [(c, u, v) for c in range(channels) for u in range(height) for v in range(width)]
    return sorted(every, key=lambda wave: (1 + (wave[0] > 0)) * (1 + math.hypot(wave[1], wave[2])))


@lru_cache(maxsize=16)
def waves(shape: Shape, begin: int, end: int) -> Tensor:
    """The waves ``begin`` to ``end`` of C · H · W, lowest first: orthonormal images (end - begin, C, H, W)."""
    along = [cosines(size) for size in shape]
    chosen = _lowest_first(shape)[begin:end]
    images = [torch.einsum("c,h,w->chw", *(axis[k] for axis, k in zip(along, wave, strict=True))) for wave in chosen]
    return torch.stack(images).float() if images else torch.zeros((0, *shape))


def rotated_waves(shape: Shape, begin: int, end: int, generator: np.random.Generator) -> Tensor:
    """Random orthonormal directions (end - begin, C, H, W) that span the waves ``begin`` to ``end``."""
    basis = waves(shape, begin, end)
    square = torch.from_numpy(generator.standard_normal((len(basis), len(basis))))
    turned: Tensor = torch.linalg.qr(square)[0].float() @ basis.flatten(1)
    return turned.view_as(basis)
