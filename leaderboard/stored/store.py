"""The store: a results folder on disk, one JSON, one Parquet and one NPZ file a cell.

    store.json              whose folder this is, and the version of its layout
    cells/<key>.json        settings, status, traceback, provenance, timings of one cell, and digests of all of it
    cells/<key>.parquet     its records, one an image
    cells/<key>.npz         its adversarial images as the attack returned them, float32, compressed; none where the
                            cell was adopted from a published board
    cells/<key>.next.parquet    only while records are being renewed: those that the JSON will be, or is already, of
    shared/<key>.json, .npz arrays that cells share: votes, answers, surrogate weights, what ceilings are proven from

The JSON is written last, and a cell exists only if its JSON does: a writer killed at any instant leaves no
torn cell. A cell that its digests do not fit is damaged, as is one of a version before there were any that holds what
no run writes: it counts as not run, and whoever shows the others says so.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboard.errors import StoreError
from leaderboard.stored import atomic, digest, lock
from leaderboard.stored.plausible import check_cell, check_records
from leaderboard.stored.records import COLUMNS, frame
from leaderboard.stored.stored_cell import Damage, Request, StoredCell

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

PROJECT = "abstention-bench"
SCHEMA_VERSION = 2
"""Version 1 knew no digests and no requests; it is read, and becomes 2 when it is opened to be written to."""
FIRST_RUN = "run `python -m benchmark run --all` first"

NOT_RECORDED = "not recorded where"

_log = logging.getLogger("abstention_bench")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]*")
_NEXT = "next.parquet"


@dataclass(frozen=True)
class Store:
    """A results folder. Make one with `Store.open` (to run) or `Store.read` (to look).

    Attributes:
        key_of: the key of a cell with such settings, by which those of cells without digests are checked.
    """

    folder: Path
    key_of: Callable[[dict[str, Any]], str] | None = field(default=None, compare=False)
    _seen: dict[str, tuple[Any, StoredCell | Damage]] = field(default_factory=dict, compare=False, repr=False)
    """By key: the state of its files, and what they hold. They are read again only where they have changed."""

    @classmethod
    def open(cls, folder: Path, key_of: Callable[[dict[str, Any]], str] | None = None) -> Store:
        """The store in `folder`, for writing: made if absent, swept of the remains of killed writers.

        Raises StoreError where `folder` is a file, not writable, or holds something else.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            version = _version(folder)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(None, "no permission to write")
            if version != SCHEMA_VERSION:  # before anything else: a folder with content is always known as ours
                mark = {"project": PROJECT, "schema_version": SCHEMA_VERSION}
                atomic.write(folder / "store.json", _dump(mark))
            for part in (folder, folder / "cells", folder / "shared"):
                part.mkdir(exist_ok=True)
                atomic.sweep(part)
            for unfinished in (folder / "shared").glob("*.checkpoint"):
                if unfinished.with_suffix(".json").exists():  # of what is stored whole since
                    unfinished.unlink(missing_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError(f"results folder {folder} is not a folder; choose another one") from error
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"results folder {folder}: {reason}; choose another one") from error
        return cls(folder, key_of)

    @classmethod
    def read(cls, folder: Path, key_of: Callable[[dict[str, Any]], str] | None = None) -> Store:
        """The store in `folder`, for reading: changes nothing. Raises StoreError where there is none."""
        if not folder.exists():
            raise StoreError(f"no results in {folder}: {FIRST_RUN}")
        if not folder.is_dir():
            raise StoreError(f"results folder {folder} is not a folder; choose another one")
        try:
            version = _version(folder)
        except OSError as error:
            raise StoreError(f"results folder {folder}: {error.strerror}; choose another one") from error
        if version is None:
            raise StoreError(f"no results in {folder}: {FIRST_RUN}")
        return cls(folder, key_of)

    def cells(self) -> list[StoredCell]:
        """Every cell that is not damaged, in the order of their keys."""
        return self.survey()[0]

    def survey(self) -> tuple[list[StoredCell], list[Damage]]:
        """Every cell, and what is damaged, both in the order of their keys."""
        keys = sorted(path.name.removesuffix(".json") for path in (self.folder / "cells").glob("*.json"))
        found = [self._look(key) for key in keys if _KEY.fullmatch(key)]
        return [c for c in found if isinstance(c, StoredCell)], [d for d in found if isinstance(d, Damage)]

    def suites(self) -> list[str]:
        """The names of the suites that any cell belongs to."""
        return sorted({cell.settings["suite"] for cell in self.cells()})

    def cell(self, key: str) -> StoredCell | None:
        """The cell with that key; None if absent, or (with a warning in the log, once) if it is damaged."""
        found = self._look(key)
        return found if isinstance(found, StoredCell) else None

    def records(self, key: str) -> DataFrame:
        """The records of a cell with status "ok" (columns: `leaderboard.stored.records.COLUMNS`)."""
        return _records(self._records_of(key, json.loads(self._path("cells", key, "json").read_bytes())))

    def images(self, key: str) -> NDArray[Any]:
        """What the attack returned in a cell that has images, before the budget rule: float32, (N, ...)."""
        return read_arrays(self._path("cells", key, "npz"))["images"]

    def _look(self, key: str) -> StoredCell | Damage | None:
        """What is under a key, from memory where its files are as they were; a damage is logged when it is found."""
        files = [self._path("cells", key, suffix) for suffix in ("json", "parquet", "npz", _NEXT)]
        if not files[0].exists():
            return None
        state = [_state(file) for file in files]
        if key not in self._seen or self._seen[key][0] != state:
            self._seen[key] = state, self._read(key)
            if isinstance(self._seen[key][1], Damage):
                _log.warning("%s", self._seen[key][1])
        return self._seen[key][1]

    def _read(self, key: str) -> StoredCell | Damage:
        content: Any = {}
        try:
            content = json.loads(self._path("cells", key, "json").read_bytes())
            digest.check(content)
            cell = StoredCell(**content)
            check_cell(cell)
            if cell.key != key:
                raise digest.Changed(f"it is the JSON of {cell.key}")
            if not cell.digests and self.key_of is not None and self.key_of(cell.settings) != key:
                raise digest.Changed("its settings are not those of its key")
            if cell.status == "ok":
                self._check_files(cell, content)
        except Exception as error:  # a damaged file may raise anything; the cure is to run the cell again
            return Damage(key, *_place(content), reason=_line(error))
        return cell

    def _check_files(self, cell: StoredCell, content: Mapping[str, Any]) -> None:
        """Raise where a cell's records or images are not those that were written with its JSON."""
        data = self._records_of(cell.key, content)
        if not cell.digests:
            check_records(cell.settings, _records(data))
        if cell.has_images:
            path = self._path("cells", cell.key, "npz")
            if cell.digests:
                digest.check_file(content, "images", path.read_bytes())
            elif len(self.images(cell.key)) != len(cell.settings["images"]):
                raise digest.Changed("its images are not as many as its records")

    def _records_of(self, key: str, content: Mapping[str, Any]) -> bytes:
        """The content of a cell's Parquet file, be it the one that a killed writer could not rename any more."""
        data = self._path("cells", key, "parquet").read_bytes()
        following = self._path("cells", key, _NEXT)
        try:
            digest.check_file(content, "records", data)
        except digest.Changed:
            if not following.exists():
                raise
            data = following.read_bytes()
            digest.check_file(content, "records", data)
        return data

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
        asked: Sequence[Request] = (),
    ) -> None:
        """Store a cell that ran, N records and N images, in place of any cell or failure under the same key.

        `settings` and `provenance` hold what JSON can hold; `seconds` is the wall time of the whole cell; `asked` are
        the runs that want it.
        Raises ValueError for records that `records.frame` refuses, StoreError where writing fails.
        """
        import numpy as np

        if len(records) != len(images):
            raise ValueError(f"cell {key}: {len(records)} records but {len(images)} images")
        pixels, table = _npz({"images": np.asarray(images, dtype=np.float32)}), _parquet(records)
        self._write_files(key, npz=pixels, parquet=table)
        facts, requests = dict(provenance), list(asked)
        cell = StoredCell(key, dict(settings), "ok", None, facts, _now(), seconds, surrogate_queries, asked=requests)
        cell = replace(cell, observed=dict(observed or {}))
        self._write_json(cell, records=table, images=pixels)

    def adopt_cell(self, cell: StoredCell, records: DataFrame) -> None:
        """Store a cell that ran elsewhere as it is, without images. Raises as `write_cell` does."""
        table = _parquet(records)
        self._write_files(cell.key, parquet=table)
        self._write_json(replace(cell, has_images=False, digests={}), records=table)

    def renew_cell(self, cell: StoredCell, settings: Mapping[str, Any], records: DataFrame) -> None:
        """Put other records in place of those of a cell that ran, and other values of some settings.

        Its images, provenance and timings stay. Raises as `write_cell` does. Whenever the writer is killed, the cell is
        the old one or the new one.
        """
        self._settle(cell.key)
        table = _parquet(records)
        atomic.write(self._path("cells", cell.key, _NEXT), table)
        files = {**self._files(cell), "records": table}
        self._write_json(replace(cell, settings={**cell.settings, **settings}), **files)
        self._settle(cell.key)

    def ask(self, cell: StoredCell, request: Request) -> StoredCell:
        """Record that one more run asks for a cell that the store holds; returns it as it is then."""
        if request in cell.asked:
            return cell
        return self._with_requests(cell, [*cell.asked, request])

    def forget(self, cell: StoredCell, images: int) -> StoredCell:
        """Take out the requests for it by runs on so many images; returns it as it is then."""
        return self._with_requests(cell, [request for request in cell.asked if request["images"] != images])

    def remove(self, key: str) -> None:
        """Remove the cell with that key, damaged or not, if there is one. Raises StoreError where that fails."""
        self._remove("cells", key, ("json", "parquet", "npz", _NEXT))

    def remove_shared(self, key: str) -> None:
        """Remove what `write_shared` stored under that key, likewise."""
        self._remove("shared", key, ("json", "npz", "checkpoint"))

    def write_failure(
        self,
        key: str,
        settings: Mapping[str, Any],
        traceback: str,
        *,
        provenance: Mapping[str, Any],
        seconds: float,
        asked: Sequence[Request] = (),
    ) -> None:
        """Store that a cell raised, in place of any under its key. Raises StoreError where writing fails."""
        facts, requests = dict(provenance), list(asked)
        self._write_json(StoredCell(key, dict(settings), "error", traceback, facts, _now(), seconds, 0, asked=requests))

    def shared(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays stored by `write_shared`; None if absent, or (with a warning in the log) if damaged."""
        if not self._path("shared", key, "json").exists():
            return None
        try:
            return read_shared(self.folder / "shared", key)
        except Exception as error:  # as in `cell`
            _log.warning("shared arrays %s are damaged and are made again: %s", key, _line(error))
            return None

    def shared_settings(self) -> dict[str, dict[str, Any]]:
        """By key, the settings of all that `write_shared` stored."""
        paths = sorted((self.folder / "shared").glob("*.json"))
        return {path.stem: json.loads(path.read_bytes())["settings"] for path in paths}

    def made_by(self, key: str) -> str:
        """What trained or computed the arrays under `key`, as far as it was recorded."""
        found: str = json.loads(self._path("shared", key, "json").read_bytes()).get("made_by", NOT_RECORDED)
        return found

    def write_shared(
        self, key: str, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], made_by: str | None = None
    ) -> None:
        """Store named arrays, any shape and dtype, under `key`. Raises StoreError where writing fails."""
        data = _npz(arrays)
        atomic.write(self._path("shared", key, "npz"), data)
        content = {"key": key, "settings": dict(settings), "created": _now()}
        content |= {} if made_by is None else {"made_by": made_by}
        atomic.write(self._path("shared", key, "json"), _dump(digest.sealed(content, arrays=data)))
        self.checkpoint(key).unlink(missing_ok=True)

    def turn(self, key: str) -> AbstractContextManager[None]:
        """Wait until nobody else computes what will be stored under `key`, and keep others waiting meanwhile."""
        return lock.turn(self._path("shared", key, "npz"))

    def checkpoint(self, key: str) -> Path:
        """Where what will be stored under `key` may keep what it has so far; `write_shared` removes it."""
        return self._path("shared", key, "checkpoint")

    def partial(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays that `write_partial` kept last; None if absent or damaged."""
        try:
            return read_arrays(self.checkpoint(key))
        except Exception:  # as in `cell`; what was so far is made again
            return None

    def write_partial(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what there is so far of what will be stored under `key`. Raises StoreError where writing fails."""
        atomic.write(self.checkpoint(key), _npz(arrays))

    def _with_requests(self, cell: StoredCell, asked: Sequence[Request]) -> StoredCell:
        """The same cell with other requests, stored; with digests from now on, where it had none."""
        self._settle(cell.key)
        return self._write_json(replace(cell, asked=list(asked)), **self._files(cell))

    def _files(self, cell: StoredCell) -> dict[str, bytes]:
        """The files of a cell without digests, which gets them; those of any other are what its digests say."""
        if cell.digests or cell.status != "ok":
            return {}
        suffixes = {"records": "parquet", **({"images": "npz"} if cell.has_images else {})}
        return {name: self._path("cells", cell.key, suffix).read_bytes() for name, suffix in suffixes.items()}

    def _settle(self, key: str) -> None:
        """Put renewed records in their place, where a cell's JSON says that it is of them."""
        following, place = self._path("cells", key, _NEXT), self._path("cells", key, "parquet")
        if following.exists():
            try:
                content = json.loads(self._path("cells", key, "json").read_bytes())
                if content.get(digest.FIELD, {}).get("records") == digest.of(following.read_bytes()):
                    os.replace(following, place)
            except OSError as error:
                raise StoreError(f"cannot write {place}: {error.strerror or error}; make room") from error

    def _write_files(self, key: str, **files: bytes) -> None:
        """The files of a cell that is not there yet, by suffix; or no longer, where it was one that is replaced."""
        self._remove("cells", key, ("json",))
        for suffix, data in files.items():
            atomic.write(self._path("cells", key, suffix), data)

    def _write_json(self, cell: StoredCell, **files: bytes) -> StoredCell:
        content = digest.sealed(asdict(cell), **files)
        atomic.write(self._path("cells", cell.key, "json"), _dump(content))
        return replace(cell, digests=content[digest.FIELD])

    def _remove(self, part: str, key: str, suffixes: Sequence[str]) -> None:
        try:
            for suffix in suffixes:  # the JSON first: without it there is no cell
                self._path(part, key, suffix).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot remove {key} from {self.folder}: {error.strerror or error}") from error

    def _path(self, part: str, key: str, suffix: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key: {key!r}")
        return self.folder / part / f"{key}.{suffix}"


def _version(folder: Path) -> int | None:
    """That of the layout; None where nothing is in `folder` yet; StoreError if what is there is not for us to read."""
    mark = folder / "store.json"
    if not mark.exists():
        # Hidden files do not count: .gitkeep, .DS_Store, the remains of a writer killed at its first step.
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            raise StoreError(f"{folder} holds other files and no results of {PROJECT}; choose another folder")
        return None
    try:
        content = json.loads(mark.read_bytes())
        project, version = content["project"], content["schema_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{mark} is not one of {PROJECT}'s; choose another folder") from error
    if project != PROJECT:
        raise StoreError(f"{folder} belongs to {project!r}, not to {PROJECT!r}; choose another folder")
    if version not in range(1, SCHEMA_VERSION + 1):
        raise StoreError(
            f"{folder} has schema version {version}, this program reads 1 to {SCHEMA_VERSION}; "
            f"choose another folder or the version of {PROJECT} that wrote it"
        )
    return int(version)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _dump(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    import numpy as np

    buffer = BytesIO()
    np.savez_compressed(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def _parquet(records: DataFrame) -> bytes:
    table = BytesIO()
    frame(records).to_parquet(table, engine="pyarrow", index=False, write_page_checksum=True)
    return table.getvalue()


def _records(data: bytes) -> DataFrame:
    """The content of a Parquet file of records."""
    from pyarrow.parquet import ParquetFile

    # From bytes: given a path, pyarrow would read "name=value" folders above it as columns. For tables as small as
    # these, threads and pandas' own reader take longer than the reading.
    file = ParquetFile(BytesIO(data), page_checksum_verification=True)
    records: DataFrame = file.read(use_threads=False).to_pandas()
    if list(records.columns) != list(COLUMNS):
        raise ValueError(f"the records have columns {list(records.columns)}")
    return records


def read_shared(folder: Path, key: str) -> dict[str, NDArray[Any]]:
    """The arrays under a key in a folder of what cells share. Where they are damaged it may raise anything."""
    content = json.loads((folder / f"{key}.json").read_bytes())
    digest.check(content)
    if content["key"] != key:
        raise digest.Changed(f"it is the JSON of {content['key']}")
    digest.check_file(content, "arrays", (folder / f"{key}.npz").read_bytes())
    return read_arrays(folder / f"{key}.npz")


def _place(content: Any) -> tuple[str | None, str | None, str | None]:
    """Suite, target and attack, as far as a cell's JSON says them."""
    settings = content.get("settings") if isinstance(content, dict) else None
    found = [settings.get(name) if isinstance(settings, dict) else None for name in ("suite", "target", "attack")]
    suite, target, attack = (value if isinstance(value, str) else None for value in found)
    return suite, target, attack


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written again; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an NPZ file by name. What it raises where the file is absent or damaged may be anything."""
    import numpy as np

    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # NumPy leaves a damaged file open
        return dict(arrays)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
