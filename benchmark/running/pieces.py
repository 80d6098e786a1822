"""What takes long over many images is done a few at a time: told as it goes on, and kept where it is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from leaderboard import Store

Arrays = dict[str, NDArray[Any]]
"""By name, with a row for each image."""

PIECE = 5.0
"""Seconds that a piece takes, as far as one image does not take more."""

KEEP = 1.0
"""Seconds of work that are not worth a file of their own."""


class Tell(Protocol):
    """Hears of work that cells share."""

    def __call__(self, what: str, unit: str, done: int, total: int) -> None:
        """``done`` of ``total`` units ("images", "epochs") of it are done; it begins with what was held."""


def silent(what: str, unit: str, done: int, total: int) -> None:
    """A :class:`Tell` that hears nothing."""


def computed_once(
    store: Store,
    key: str,
    settings: dict[str, Any],
    total: int,
    compute: Callable[[range], Arrays],
    tell: Callable[[int], None],
) -> Arrays:
    """What the store holds under a key; without, it is computed and stored there.

    Killed in between, it goes on after the last piece. What an image gets must not depend on the piece it is in.

    Args:
        total: images.
        compute: of images ``begin`` to ``end``.
        tell: called with how many images are done, after each piece, and at the beginning.
    """
    stored = store.shared(key)
    if stored is not None:
        return stored
    with store.turn(key):
        return store.shared(key) or _computed(store, key, settings, total, compute, tell)


def _computed(
    store: Store,
    key: str,
    settings: dict[str, Any],
    total: int,
    compute: Callable[[range], Arrays],
    tell: Callable[[int], None],
) -> Arrays:
    held = store.partial(key)
    done = len(next(iter(held.values()))) if held else 0
    size, kept = 1, time.perf_counter()
    tell(done)
    while held is None or done < total:
        begun = time.perf_counter()
        piece = compute(range(done, min(done + size, total)))
        held = piece if held is None else {name: np.concatenate([held[name], piece[name]]) for name in piece}
        done = min(done + size, total)
        tell(done)
        now = time.perf_counter()
        size = max(1, int(size * PIECE / max(now - begun, 1e-3)))
        if done < total and now - kept >= KEEP:
            store.write_partial(key, held)
            kept = time.perf_counter()
    store.write_shared(key, settings, held)
    return held
