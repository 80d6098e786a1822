"""Boards from Python: their rows."""

from __future__ import annotations

from pathlib import Path

from benchmark.api.result import Result
from benchmark.cell import settings_key
from leaderboard import Row, Store, rows


def board(of: Result | str | Path) -> list[Row]:
    """The rows of a result or a results folder, in the order of the board.

    Raises:
        StoreError: the folder holds no results.
    """
    return of.rows if isinstance(of, Result) else rows(Store.read(Path(of), settings_key))
