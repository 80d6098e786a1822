"""A target that remembers: the same image with the same noise is not sampled twice.

An attack that sends the original, or the same image at two query budgets, is evaluated at the cost of one; an attack
that runs again under a smaller budget asks what it asked before. Results are what they would be without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from targets import SmoothedClassifier
from targets.kept_noise import KeptNoise
from targets.noise import Key


class Memory:
    """``votes`` and ``predict`` of one target, remembered for as long as the object lives."""

    def __init__(self, target: SmoothedClassifier) -> None:
        self._target = target
        self._held: dict[bytes, Any] = {}
        self._noise = KeptNoise()

    def votes(
        self, images: Tensor, n: int, *, seed: int, purpose: str, indices: Sequence[Key], again: bool = False
    ) -> NDArray[np.int64]:
        """See :meth:`targets.SmoothedClassifier.votes`.

        Args:
            again: whether the same noise will be asked for with other images.
        """
        noise = self._noise if again else None

        def ask(chosen: Tensor, keys: list[Key]) -> NDArray[np.int64]:
            return self._target.votes(chosen, n, seed=seed, purpose=purpose, indices=keys, kept=noise)

        kept = self._recall(("votes", n, seed, purpose), images, indices, ask)
        return np.stack(kept) if kept else ask(images, [])

    def predict(
        self, images: Tensor, n: int, alpha: float, *, seed: int, purpose: str, indices: Sequence[Key]
    ) -> NDArray[np.int64]:
        """See :meth:`targets.SmoothedClassifier.predict`."""

        def ask(chosen: Tensor, keys: list[Key]) -> NDArray[np.int64]:
            return self._target.predict(chosen, n, alpha, seed=seed, purpose=purpose, indices=keys)

        return np.array(self._recall(("predict", n, alpha, seed, purpose), images, indices, ask), dtype=np.int64)

    def _recall(
        self,
        question: tuple[Any, ...],
        images: Tensor,
        indices: Sequence[Key],
        ask: Callable[[Tensor, list[Key]], NDArray[np.int64]],
    ) -> list[Any]:
        """One answer an image, asking only for those not held."""
        arrays = images.detach().cpu().contiguous().numpy()
        keys = [
            hashlib.blake2b(repr((*question, index)).encode() + array.tobytes(), digest_size=16).digest()
            for index, array in zip(indices, arrays, strict=True)
        ]
        new = [i for i, key in enumerate(keys) if key not in self._held]
        if new:
            for i, answer in zip(new, ask(images[new], [indices[i] for i in new]), strict=True):
                self._held[keys[i]] = answer
        return [self._held[key] for key in keys]
