"""Keyed random streams: the noise drawn for an image depends on its key alone.

The noise of sample j of image i comes from block ``j // BLOCK`` of the stream keyed by (seed, target, image,
purpose), so that results do not depend on batch size, shard, order, resume or number of workers.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from targets.kept_noise import KeptNoise

BLOCK = 100
"""Noise samples that are drawn together. It is part of the streams' definition, so changing it changes every result."""


DIGEST = 16
"""Bytes of a key's digest."""

Key = int | str | tuple[int, int]


def _plain(part: Any) -> Any:
    """The key with Python's integers in place of NumPy's, whose repr differs."""
    if isinstance(part, str):
        return part
    return tuple(map(_plain, part)) if isinstance(part, tuple) else int(operator.index(part))


def keyed_generator(*key: Key) -> np.random.Generator:
    """A NumPy generator that depends on ``key`` alone: 128 bits of its BLAKE2b hash seed SFC64."""
    return _generator(hashlib.blake2b(repr(_plain(key)).encode(), digest_size=DIGEST).digest())


def _generator(digest: bytes) -> np.random.Generator:
    """The generator whose seed is the digest, read as a number with its lowest byte first.

    NumPy splits a number into words of 32 bits. Giving it the words takes half the time, and sampling makes a generator
    for every block.
    """
    words = np.frombuffer(digest, "<u4")
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(words)))


class Noise:
    """Standard normal noise of one purpose: ``block(image, b, shape)`` is always the same array.

    Args:
        key: keys the stream together with the image and the block: seed, target and purpose.
        kept: keeps blocks for later calls; None to draw each time.
    """

    def __init__(self, *key: Key, kept: KeptNoise | None = None) -> None:
        self.key = key
        self.kept = kept

    def block(self, image: Key, index: int, shape: Sequence[int]) -> NDArray[np.float32]:
        """Samples ``index * BLOCK`` to ``(index + 1) * BLOCK`` of an image: (BLOCK, *shape) float32."""
        generator = keyed_generator(*self.key, image, index)
        return generator.standard_normal((BLOCK, *shape), dtype=np.float32)


class Stream:
    """The noise samples of one image, a few at a time: the rows of its blocks, in order."""

    def __init__(self, noise: Noise, image: Key) -> None:
        self.noise = noise
        self.image = image
        self._drawn = 0
        self._generator: np.random.Generator | None = None
        # The keys of all blocks differ only at the end.
        begun = repr(_plain((*noise.key, image))).removesuffix(")").removesuffix(",")
        self._begun = hashlib.blake2b(f"{begun}, ".encode(), digest_size=DIGEST)

    def fill(self, rows: NDArray[np.float32]) -> None:
        """Overwrite ``rows`` (M, *shape), C-contiguous, with the next M samples."""
        begin = 0
        while begin < len(rows):
            block, used = divmod(self._drawn, BLOCK)
            take = min(BLOCK - used, len(rows) - begin)
            if self.noise.kept is not None:
                rows[begin : begin + take] = self._kept(self.noise.kept, block, rows.shape[1:])[used : used + take]
            else:
                if used == 0 or self._generator is None:
                    self._generator = _generator(self._digest(block))
                self._generator.standard_normal(dtype=np.float32, out=rows[begin : begin + take])
            begin += take
            self._drawn += take

    def _digest(self, index: int) -> bytes:
        """The digest of a block's key, as in ``keyed_generator(*key, image, index)``."""
        digest = self._begun.copy()
        digest.update(f"{index})".encode())
        return digest.digest()

    def _kept(self, kept: KeptNoise, index: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
        key = self._digest(index)
        return kept.block(key, shape, lambda: _generator(key).standard_normal((BLOCK, *shape), dtype=np.float32))


class Streams:
    """One random generator an image, for an attack: draws for an image do not depend on its batch.

    Args:
        key: keys the streams together with the image.
        images: the image's index in its data set, for each row of the attack's batch.
    """

    def __init__(self, key: Sequence[Key], images: Sequence[int]) -> None:
        self.key = tuple(key)
        self.images = [int(i) for i in images]
        self._generators = [keyed_generator(*key, i) for i in self.images]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> np.random.Generator:
        """The generator of one row's image."""
        return self._generators[row]

    def normal(self, shape: Sequence[int], rows: Sequence[int] | None = None) -> Tensor:
        """Standard normal draws of shape (len(rows), *shape), row by row from each image's own generator."""
        chosen = range(len(self)) if rows is None else rows
        if len(chosen) == 0:
            return torch.zeros((0, *shape))
        drawn = np.empty((len(chosen), *shape), dtype=np.float32)
        # One row of values an image, whatever the shape: NumPy fills arrays, and a draw of shape () is none.
        for row, values in zip(chosen, drawn.reshape(len(chosen), math.prod(shape)), strict=True):
            self._generators[row].standard_normal(dtype=np.float32, out=values)
        return torch.from_numpy(drawn)


class Antithetic(Streams):
    """The generators of ``streams``, with samples in pairs z, -z: antithetic variates.

    An average over pairs has no error from the part of a function that is odd in z. For a linear base classifier at the
    tie that is all of it. Where a function is even in z, pairs tell no more than half as many samples, so bounds for
    independent samples do not hold.

    Source: Hammersley & Morton 1956, "A new Monte Carlo technique: antithetic variates",
    https://doi.org/10.1017/S0305004100031455.
    """

    def __init__(self, streams: Streams) -> None:
        self.key, self.images, self._generators = streams.key, streams.images, streams._generators

    def normal(self, shape: Sequence[int], rows: Sequence[int] | None = None) -> Tensor:
        """See :meth:`Streams.normal`; the second half of the samples, shape[0], are the first with their sign changed.

        Of an odd number, one has no partner.
        """
        drawn = super().normal((-(-shape[0] // 2), *shape[1:]), rows)
        return torch.cat([drawn, -drawn[:, : shape[0] // 2]], dim=1)
