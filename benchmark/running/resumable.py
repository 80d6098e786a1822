"""Work over many images, done and stored piece by piece: a killed run goes on after its last stored piece."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmark.key import key_of
from leaderboard import Store
from targets.engine.arithmetic import elsewhere

Arrays = dict[str, NDArray[Any]]
"""Arrays by name, with a row for each image."""

PIECE = 5.0
"""Seconds that a piece should take. A piece has at least one image, however long that takes."""

KEEP = 1.0
"""Work of fewer seconds than this is not stored before all of it is done."""


class Report(Protocol):
    """Is told how far work is that several cells share."""

    def __call__(self, what: str, unit: str, done: int, total: int) -> None:
        """``done`` of ``total`` units ("images", "epochs") are done. The first call says how many the store held."""


def silent(what: str, unit: str, done: int, total: int) -> None:
    """A :class:`Report` that does nothing."""


@dataclass(frozen=True)
class Entry:
    """Arrays that cells share, as the store holds them.

    Attributes:
        key: their key in the store.
    """

    key: str
    arrays: Arrays


def find(store: Store, settings: dict[str, Any]) -> Entry | None:
    """What is stored under these settings, or else under those of a machine with another arithmetic (an adopted one).

    None where there is neither.
    """
    keys = (key_of(found) for found in (settings, *elsewhere(settings)))
    return next((Entry(key, arrays) for key in keys if (arrays := store.shared(key)) is not None), None)


def computed_once(
    store: Store,
    settings: dict[str, Any],
    total: int,
    compute: Callable[[range], Arrays],
    report: Callable[[int], None],
) -> Arrays:
    """What the store holds under these settings. If it holds nothing, compute it and store it.

    Args:
        settings: everything that can change the arrays; JSON-able. Their hash is the key.
        total: number of images.
        compute: returns the arrays of images ``begin`` to ``end``. The arrays of an image must not depend on the piece
            that it is in.
        report: called with the number of images that are done: at the beginning and after each piece.
    """
    if (entry := find(store, settings)) is not None:
        return entry.arrays
    key = key_of(settings)
    with store.turn(key):
        return store.shared(key) or _computed(store, key, settings, total, compute, report)


def _computed(
    store: Store,
    key: str,
    settings: dict[str, Any],
    total: int,
    compute: Callable[[range], Arrays],
    report: Callable[[int], None],
) -> Arrays:
    arrays = store.partial(key)
    done = len(next(iter(arrays.values()))) if arrays else 0
    size, stored_at = 1, time.perf_counter()
    report(done)
    while arrays is None or done < total:
        begun = time.perf_counter()
        piece = compute(range(done, min(done + size, total)))
        arrays = piece if arrays is None else {name: np.concatenate([arrays[name], piece[name]]) for name in piece}
        done = min(done + size, total)
        report(done)
        now = time.perf_counter()
        size = max(1, int(size * PIECE / max(now - begun, 1e-3)))
        if done < total and now - stored_at >= KEEP:
            store.write_partial(key, arrays)
            stored_at = time.perf_counter()
    store.write_shared(key, settings, arrays)
    return arrays
