"""Resumable stages: long computations run in shards, and each shard is stored under a key of all its settings."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.key import PROTOCOL, key_of
from benchmark.terminal.progress import clock
from leaderboard import Store

Arrays = dict[str, NDArray[Any]]
Tick = Callable[[], None]
Done = Callable[[int], None]

SHARD_SAMPLES = 50_000
"""Noise samples of PREDICT in a shard. They take well under a minute on two cores."""


@dataclass(frozen=True)
class Stages:
    """Computes what the store does not hold yet.

    A shard is stored as soon as it is done. So a killed run loses one shard at most, and a second run only reads.
    Progress is a bar on a terminal, and a line for each stage elsewhere.

    Attributes:
        store: holds the shards.
        quiet: show no progress.
        content: digests of the data sets that do not check themselves, which are in every key.
    """

    store: Store
    quiet: bool = False
    content: dict[str, Any] = field(default_factory=dict)

    def sharded(
        self,
        title: str,
        identity: dict[str, Any],
        items: Sequence[int],
        shard: int,
        compute: Callable[[list[int], Tick], Arrays],
    ) -> Arrays:
        """Arrays with one row for each item, from the store or from ``compute``.

        Args:
            title: shown beside the bar.
            identity: every setting that can change the result, JSON-able.
            items: e.g. indices of images; at least one.
            shard: most items computed and stored together.
            compute: (positions in ``items``, a function to call now and then) → arrays with a row for each position.
        """
        positions = list(range(len(items)))
        parts = []
        with _Bar(title, len(items), "image", self.quiet) as bar:
            for start in range(0, len(items), shard):
                chosen = positions[start : start + shard]
                settings = {**identity, "items": [int(items[i]) for i in chosen]}

                def work(chosen: list[int] = chosen) -> Arrays:
                    return compute(chosen, bar.tick)

                parts.append(self._stored(settings, work, bar))
                bar.reach(start + len(chosen))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def whole(
        self, title: str, identity: dict[str, Any], steps: int, unit: str, compute: Callable[[Done], Arrays]
    ) -> Arrays:
        """Arrays that are stored together. ``compute`` calls its argument with the number of steps done so far."""
        with _Bar(title, steps, unit, self.quiet) as bar:
            return self._stored(identity, lambda: compute(bar.reach), bar)

    def checkpoint(self, identity: dict[str, Any]) -> Path:
        """The file in which a stage that takes longer than a minute keeps its progress."""
        folder = self.store.folder / "checkpoints"
        folder.mkdir(exist_ok=True)
        return folder / f"{_key({**identity, **self.content})}.checkpoint"

    def _stored(self, settings: dict[str, Any], compute: Callable[[], Arrays], bar: _Bar) -> Arrays:
        settings = {**settings, **self.content}
        key = _key(settings)
        stored = self.store.shared(key)
        if stored is None:
            bar.computed = True
            stored = compute()
            self.store.write_shared(key, {"protocol": PROTOCOL, **settings}, stored)
        return stored


def _key(settings: dict[str, Any]) -> str:
    return key_of({"protocol": PROTOCOL, "experiment": "reproduce", **settings})


class _Bar:
    """A progress bar on a terminal; elsewhere one line at the end of a stage that computed something."""

    def __init__(self, title: str, total: int, unit: str, quiet: bool) -> None:
        from tqdm import tqdm

        self.title = title
        self.computed = False
        self._quiet = quiet
        self._begun = time.monotonic()
        self._bar = tqdm(desc=title, total=total, unit=unit, disable=quiet or None, leave=False, dynamic_ncols=True)

    def __enter__(self) -> _Bar:
        return self

    def reach(self, count: int) -> None:
        """Show that ``count`` items are done in all."""
        self._bar.update(count - self._bar.n)

    def tick(self) -> None:
        """Update the bar's clock while the stage is at work."""
        self._bar.update(0)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._bar.close()
        if kind is None and self.computed and not self._quiet:
            seconds = time.monotonic() - self._begun
            print(f"{self.title}: done ({clock(seconds)})", file=sys.stderr, flush=True)
