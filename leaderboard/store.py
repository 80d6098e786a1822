"""The store: a results folder on disk, one JSON, one Parquet and one NPZ file a cell.

    store.json              whose folder this is, and the version of its layout
    cells/<key>.json        settings, status, traceback, provenance, timings of one cell
    cells/<key>.parquet     its records, one an image
    cells/<key>.npz         its adversarial images as the attack returned them, float32, compressed; none where the
                            cell was adopted from a published board
    shared/<key>.json, .npz arrays that cells share: votes, answers, surrogate weights, what ceilings are proven from

The JSON is written last, and a cell exists only if its JSON does: a writer killed at any instant leaves no
torn cell.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leaderboard import atomic
from leaderboard.errors import StoreError
from leaderboard.records import COLUMNS, frame

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

PROJECT = "abstention-bench"
SCHEMA_VERSION = 1
FIRST_RUN = "run `python -m benchmark run --all` first"

_log = logging.getLogger("abstention_bench")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]*")


@dataclass(frozen=True)
class StoredCell:
    """What the store knows of a cell beside its records and images."""

    key: str
    settings: dict[str, Any]
    status: Literal["ok", "error"]
    error: str | None  # the traceback of an attack that raised
    provenance: dict[str, Any]  # versions, commit, device: recorded, never hashed
    created: str  # ISO 8601, UTC, microseconds: sorts by time as text
    seconds: float
    surrogate_queries: int
    has_images: bool = True  # False where it was adopted from a published board, which has records only
    observed: dict[str, int] = field(default_factory=dict)  # counts made while it ran: see `leaderboard.checks`


@dataclass(frozen=True)
class Store:
    """A results folder. Make one with `Store.open` (to run) or `Store.read` (to look)."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> Store:
        """The store in `folder`, for writing: made if absent, swept of the remains of killed writers.

        Raises StoreError where `folder` is a file, not writable, or holds something else.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_new = _is_new(folder)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(None, "no permission to write")
            if is_new:  # before anything else, so that a folder with content is always known as ours
                mark = {"project": PROJECT, "schema_version": SCHEMA_VERSION}
                atomic.write(folder / "store.json", _dump(mark))
            for part in (folder, folder / "cells", folder / "shared"):
                part.mkdir(exist_ok=True)
                atomic.sweep(part)
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError(f"results folder {folder} is not a folder; choose another one") from error
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"results folder {folder}: {reason}; choose another one") from error
        return cls(folder)

    @classmethod
    def read(cls, folder: Path) -> Store:
        """The store in `folder`, for reading: changes nothing. Raises StoreError where there is none."""
        if not folder.exists():
            raise StoreError(f"no results in {folder}: {FIRST_RUN}")
        if not folder.is_dir():
            raise StoreError(f"results folder {folder} is not a folder; choose another one")
        try:
            is_new = _is_new(folder)
        except OSError as error:
            raise StoreError(f"results folder {folder}: {error.strerror}; choose another one") from error
        if is_new:
            raise StoreError(f"no results in {folder}: {FIRST_RUN}")
        return cls(folder)

    def cells(self) -> list[StoredCell]:
        """Every cell that can be read, in the order of their keys."""
        keys = sorted(path.name.removesuffix(".json") for path in (self.folder / "cells").glob("*.json"))
        return [cell for key in keys if _KEY.fullmatch(key) and (cell := self.cell(key))]

    def suites(self) -> list[str]:
        """The names of the suites that any cell belongs to."""
        return sorted({cell.settings["suite"] for cell in self.cells()})

    def cell(self, key: str) -> StoredCell | None:
        """The cell with that key; None if absent, or (with a warning in the log) if its files are damaged."""
        path = self._path("cells", key, "json")
        if not path.exists():
            return None
        try:
            cell = StoredCell(**json.loads(path.read_bytes()))
            if cell.status == "ok":
                self.records(key)
                if cell.has_images:
                    self._path("cells", key, "npz").stat()
        except Exception as error:  # a damaged file may raise anything; the cure is to run the cell again
            _log.warning("cell %s is damaged and counts as not run: %s", key, _line(error))
            return None
        return cell

    def records(self, key: str) -> DataFrame:
        """The records of a cell with status "ok" (columns: `leaderboard.records.COLUMNS`)."""
        from pyarrow.parquet import ParquetFile

        # From bytes: given a path, pyarrow would read "name=value" folders above it as columns.
        data = BytesIO(self._path("cells", key, "parquet").read_bytes())
        # For tables as small as these, threads and pandas' own reader take longer than the reading.
        records: DataFrame = ParquetFile(data, page_checksum_verification=True).read(use_threads=False).to_pandas()
        if list(records.columns) != list(COLUMNS):
            raise ValueError(f"the records have columns {list(records.columns)}")
        return records

    def images(self, key: str) -> NDArray[Any]:
        """What the attack returned in a cell that has images, before the budget rule: float32, (N, ...)."""
        return read_arrays(self._path("cells", key, "npz"))["images"]

    def write_cell(
        self,
        key: str,
        settings: Mapping[str, Any],
        records: DataFrame,
        images: NDArray[Any],
        *,
        provenance: Mapping[str, Any],
        seconds: float,
        surrogate_queries: int = 0,
        observed: Mapping[str, int] | None = None,
    ) -> None:
        """Store a cell that ran, N records and N images, in place of any cell or failure under the same key.

        `settings` and `provenance` hold what JSON can hold; `seconds` is the wall time of the whole cell.
        Raises ValueError for records that `records.frame` refuses, StoreError where writing fails.
        """
        import numpy as np

        if len(records) != len(images):
            raise ValueError(f"cell {key}: {len(records)} records but {len(images)} images")
        atomic.write(self._path("cells", key, "npz"), _npz({"images": np.asarray(images, dtype=np.float32)}))
        self._write_records(key, records)
        cell = StoredCell(key, dict(settings), "ok", None, dict(provenance), _now(), seconds, surrogate_queries)
        self._write_json(replace(cell, observed=dict(observed or {})))

    def adopt_cell(self, cell: StoredCell, records: DataFrame) -> None:
        """Store a cell that ran elsewhere as it is, without images. Raises as `write_cell` does."""
        self._write_records(cell.key, records)
        self._write_json(replace(cell, has_images=False))

    def renew_cell(self, cell: StoredCell, settings: Mapping[str, Any], records: DataFrame) -> None:
        """Put other records in place of those of a cell that ran, and other values of some settings.

        Its images, provenance and timings stay. Raises as `write_cell` does.
        """
        self._write_records(cell.key, records)
        self._write_json(replace(cell, settings={**cell.settings, **settings}))

    def write_failure(
        self,
        key: str,
        settings: Mapping[str, Any],
        traceback: str,
        *,
        provenance: Mapping[str, Any],
        seconds: float,
    ) -> None:
        """Store that a cell raised, in place of any under its key. Raises StoreError where writing fails."""
        self._write_json(StoredCell(key, dict(settings), "error", traceback, dict(provenance), _now(), seconds, 0))

    def shared(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays stored by `write_shared`; None if absent, or (with a warning in the log) if damaged."""
        if not self._path("shared", key, "json").exists():
            return None
        try:
            return read_arrays(self._path("shared", key, "npz"))
        except Exception as error:  # as in `cell`
            _log.warning("shared arrays %s are damaged and are made again: %s", key, _line(error))
            return None

    def write_shared(self, key: str, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store named arrays, any shape and dtype, under `key`. Raises StoreError where writing fails."""
        atomic.write(self._path("shared", key, "npz"), _npz(arrays))
        content = {"key": key, "settings": dict(settings), "created": _now()}
        atomic.write(self._path("shared", key, "json"), _dump(content))

    def checkpoint(self, key: str) -> Path:
        """Where what will be stored under `key` may keep what it has so far; whoever writes it removes it."""
        return self._path("shared", key, "checkpoint")

    def _write_records(self, key: str, records: DataFrame) -> None:
        table = BytesIO()
        frame(records).to_parquet(table, engine="pyarrow", index=False, write_page_checksum=True)
        atomic.write(self._path("cells", key, "parquet"), table.getvalue())

    def _write_json(self, cell: StoredCell) -> None:
        atomic.write(self._path("cells", cell.key, "json"), _dump(asdict(cell)))

    def _path(self, part: str, key: str, suffix: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key: {key!r}")
        return self.folder / part / f"{key}.{suffix}"


def _is_new(folder: Path) -> bool:
    """Whether nothing is in `folder` yet; StoreError if what is there is not a store of this version."""
    mark = folder / "store.json"
    if not mark.exists():
        # Hidden files do not count: .gitkeep, .DS_Store, the remains of a writer killed at its first step.
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            raise StoreError(f"{folder} holds other files and no results of {PROJECT}; choose another folder")
        return True
    try:
        content = json.loads(mark.read_bytes())
        project, version = content["project"], content["schema_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{mark} is not one of {PROJECT}'s; choose another folder") from error
    if project != PROJECT:
        raise StoreError(f"{folder} belongs to {project!r}, not to {PROJECT!r}; choose another folder")
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{folder} has schema version {version}, this program reads {SCHEMA_VERSION}; "
            f"choose another folder or the version of {PROJECT} that wrote it"
        )
    return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _dump(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    import numpy as np

    buffer = BytesIO()
    np.savez_compressed(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an NPZ file by name. What it raises where the file is absent or damaged may be anything."""
    import numpy as np

    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # NumPy leaves a damaged file open
        return dict(arrays)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
