"""Noise that is kept because it is needed again: every attack on an image is evaluated on the same noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]

MOST = 32 * 2**20
"""Bytes: 1,000 samples of each of 100 digits. Drawing takes a third of the time there; on large images, a hundredth."""


class KeptNoise:
    """Keeps the first blocks of noise that are drawn. Those that no longer fit are drawn anew each time.

    Args:
        most: bytes of noise to keep, at most.
    """

    def __init__(self, most: int = MOST) -> None:
        self._room = most
        self._blocks: dict[tuple[bytes, tuple[int, ...]], Block] = {}

    def __len__(self) -> int:
        """The number of blocks that are kept."""
        return len(self._blocks)

    def block(self, key: bytes, shape: tuple[int, ...], draw: Callable[[], Block]) -> Block:
        """The block (BLOCK, C, H, W) of a key, which nobody may write into.

        Args:
            key: digest of the block's key.
            shape: (C, H, W).
            draw: draws the block where it is not kept.
        """
        held = self._blocks.get((key, shape))
        if held is None:
            held = draw()
            if held.nbytes <= self._room:
                self._room -= held.nbytes
                self._blocks[key, shape] = held
        return held
