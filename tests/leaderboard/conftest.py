"""Synthetic stores, and a clock that ticks at every write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from leaderboard_data import make_records, make_settings

from leaderboard import Store
from leaderboard.stored import files
from leaderboard.stored.cell import Request


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store.open(tmp_path / "results")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write is a second after the last."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    ticks = (start + timedelta(seconds=second) for second in range(1_000_000))
    monkeypatch.setattr(files, "now", lambda: next(ticks).isoformat(timespec="microseconds"))


@pytest.fixture
def add(store: Store) -> Callable[..., str]:
    """Writes a cell with these settings, columns and observed counts into `store` and returns its key.

    `of` are the sizes of the image sets that runs asked for it for; none for a cell of a version that did not say.
    """

    def write(
        columns: dict[str, Any] | None = None,
        of: Sequence[int] = (),
        observed: dict[str, int] | None = None,
        **settings: Any,
    ) -> str:
        key = f"cell-{len(list((store.folder / 'cells').glob('*.json'))):04d}"
        settings = make_settings(**settings)
        records = make_records(settings["images"], **(columns or {}))
        pixels = np.zeros((len(records), 1, 2, 2))
        asked = [Request(images=size, options=["--images", str(size)]) for size in of]
        store.write_cell(key, settings, records, pixels, provenance={}, seconds=1.0, observed=observed, asked=asked)
        return key

    return write


@pytest.fixture
def fail(store: Store) -> Callable[..., str]:
    """Writes a failed cell with these settings into `store` and returns its key."""

    def write(**settings: Any) -> str:
        key = f"fail-{len(list((store.folder / 'cells').glob('*.json'))):04d}"
        error = 'Traceback (most recent call last):\n  File "a.py", line 1\nRuntimeError: no | luck\n'
        store.write_failure(key, make_settings(**settings), error, provenance={}, seconds=1.0)
        return key

    return write


@pytest.fixture
def board(store: Store, add: Callable[..., str], fail: Callable[..., str]) -> Store:
    """A store with a bit of everything."""
    for target, sigma in (("toy-sigma0.50", 0.5), ("toy-sigma1.00", 1.0)):
        for epsilon in (0.5, 1.0):
            place = {"target": target, "sigma": sigma, "epsilon": epsilon, "of": [10]}
            add(attack="clean", access="none", parameters={}, **place)
            add({"outcome": [-1] * 6 + [6, 7, 8, 9], "ceiling": 0.9}, **place)
            add({"validity": "over-budget", "l2": 9.0}, attack="cw", images=[0, 1], access="transfer", **place)
    fail(attack="odd|name", access="psychic", epsilon=1.0, parameters={"mode": "a|b"})
    add({}, parameters={"steps": 11}, images=[0], of=[10])  # supersedes toy-sigma0.50 at 1.0
    return store
