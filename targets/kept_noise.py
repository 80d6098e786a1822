"""Noise that is kept since it will be drawn again: every attack on an image is evaluated on the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]

MOST = 32 * 2**20
"""Bytes: 1,000 samples of 100 digits, where drawing takes a third of the time. On large images it takes a hundredth."""


class KeptNoise:
    """The first blocks of noise that were drawn, up to a size; the others are drawn anew each time.

    Args:
        most: bytes.
    """

    def __init__(self, most: int = MOST) -> None:
        self._room = most
        self._blocks: dict[tuple[bytes, tuple[int, ...]], Block] = {}

    def block(self, key: bytes, shape: tuple[int, ...], draw: Callable[[], Block]) -> Block:
        """The block of a key, of samples (C, H, W), for nobody to write into; ``draw`` makes what is not held."""
        held = self._blocks.get((key, shape))
        if held is None:
            held = draw()
            if held.nbytes <= self._room:
                self._room -= held.nbytes
                self._blocks[key, shape] = held
        return held
