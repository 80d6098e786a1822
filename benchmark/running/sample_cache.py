"""A cache of a target's votes and answers: the same image with the same noise is not sampled twice.

It saves time where an attack sends the original, sends one image at two query budgets, or repeats its queries under a
smaller budget. It changes no result.
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


class SampleCache:
    """``votes`` and ``predict`` of one target, cached for as long as the object lives."""

    def __init__(self, target: SmoothedClassifier) -> None:
        self._target = target
        self._answers: dict[bytes, Any] = {}
        self._noise = KeptNoise()

    def votes(
        self, images: Tensor, n: int, *, seed: int, purpose: str, indices: Sequence[Key], again: bool = False
    ) -> NDArray[np.int64]:
        """See :meth:`targets.SmoothedClassifier.votes`.

        Args:
            again: whether the same noise will be needed for other images, and so is kept.
        """
        noise = self._noise if again else None

        def ask(chosen: Tensor, keys: list[Key]) -> NDArray[np.int64]:
            return self._target.votes(chosen, n, seed=seed, purpose=purpose, indices=keys, kept=noise)

        answers = self._cached(("votes", n, seed, purpose), images, indices, ask)
        return np.stack(answers) if answers else ask(images, [])

    def predict(
        self, images: Tensor, n: int, alpha: float, *, seed: int, purpose: str, indices: Sequence[Key]
    ) -> NDArray[np.int64]:
        """See :meth:`targets.SmoothedClassifier.predict`."""

        def ask(chosen: Tensor, keys: list[Key]) -> NDArray[np.int64]:
            return self._target.predict(chosen, n, alpha, seed=seed, purpose=purpose, indices=keys)

        return np.array(self._cached(("predict", n, alpha, seed, purpose), images, indices, ask), dtype=np.int64)

    def _cached(
        self,
        question: tuple[Any, ...],
        images: Tensor,
        indices: Sequence[Key],
        ask: Callable[[Tensor, list[Key]], NDArray[np.int64]],
    ) -> list[Any]:
        """One answer an image; ``ask`` gets only the images without a cached one."""
        arrays = images.detach().cpu().contiguous().numpy()
        keys = [
            hashlib.blake2b(repr((*question, index)).encode() + array.tobytes(), digest_size=16).digest()
            for index, array in zip(indices, arrays, strict=True)
        ]
        new = [i for i, key in enumerate(keys) if key not in self._answers]
        if new:
            for i, answer in zip(new, ask(images[new], [indices[i] for i in new]), strict=True):
                self._answers[keys[i]] = answer
        return [self._answers[key] for key in keys]
