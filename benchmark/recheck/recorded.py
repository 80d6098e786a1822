"""Cells and records, be they of a results folder or of a published board."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.key import settings_key
from leaderboard import Store, StoredCell
from leaderboard.errors import StoreError
from leaderboard.stored import archive
from leaderboard.stored.records import arrays

if TYPE_CHECKING:
    from pandas import DataFrame

    from leaderboard.stored.cell import Damage
    from leaderboard.stored.records import Columns, HasRecords


@dataclass(frozen=True)
class Recorded:
    """What there is to look at.

    Attributes:
        folder: where leaderboard.json and the like lie.
        holder: holds the cells' records.
        store: the results folder; None for a board.
    """

    folder: Path
    cells: list[StoredCell]
    damaged: list[Damage]
    holder: HasRecords
    store: Store | None = None


@dataclass(frozen=True)
class _Archived:
    """A board's records, in memory."""

    by_key: Mapping[str, DataFrame]

    def records(self, key: str) -> DataFrame:
        """The records of a cell."""
        return self.by_key[key]

    def columns(self, key: str, names: Iterable[str]) -> Columns:
        """Some columns of the same."""
        return arrays(self.by_key[key], names)


def is_recorded(path: Path) -> bool:
    """Whether a path is a results folder, a board's folder with records, or a file of records."""
    return path.is_file() or (path / "store.json").is_file() or (path / archive.RECORDS).is_file()


def recorded(path: Path) -> Recorded:
    """What is in a results folder, in a board's folder, or in its file of records. Nothing is written.

    Raises:
        StoreError: it is none of them, or its records are not those of its cells, or of another version's rules.
    """
    if (path / "store.json").is_file():
        store = Store.read(path, settings_key)
        cells, damaged = store.survey()
        return Recorded(path, cells, damaged, store, store)
    if not is_recorded(path):
        raise StoreError(
            f"{path} is no results folder and has no {archive.RECORDS}; give a folder that run or publish wrote"
        )
    file = path if path.is_file() else path / archive.RECORDS
    found = archive.read(file, settings_key)
    holder = _Archived({cell.key: records for cell, records in found})
    return Recorded(file.parent, [cell for cell, _ in found], [], holder)
