"""The cells of a results folder: one JSON, one Parquet and one NPZ file each.

    cells/<key>.json        settings, status, traceback, provenance, timings of one cell, and digests of all of it
    cells/<key>.parquet     its records, one an image
    cells/<key>.npz         its adversarial images as the attack returned them, float32, compressed; none where the
                            cell was adopted from a published board
    cells/<key>.next.parquet    only while records are being replaced: the new ones

The JSON is written last, and a cell exists only if its JSON does: a writer killed at any instant leaves no
torn cell. A cell is damaged where its files do not fit its digests, or, where it is of a version without digests, where
it holds what no run writes. A damaged cell counts as not run, and every board says that it is left out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboard.errors import StoreError
from leaderboard.stored import atomic, bounds, digest, files, lock
from leaderboard.stored.cell import Damage, Request, StoredCell
from leaderboard.stored.plausible import check_cell, check_records

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame
    from pyarrow import Table

    from leaderboard.stored.records import Columns

FOLDER = "cells"

_log = logging.getLogger("abstention_bench")
_NEXT = "next.parquet"
_SUFFIXES = ("json", "parquet", "npz", _NEXT)


@dataclass(frozen=True)
class Cells:
    """The cells of the results folder `folder`, a part of `Store`.

    Attributes:
        key_of: the key of a cell with such settings, by which cells without digests are checked.
    """

    folder: Path
    key_of: Callable[[dict[str, Any]], str] | None = field(default=None, compare=False)
    _seen: dict[str, tuple[Any, StoredCell | Damage]] = field(default_factory=dict, compare=False, repr=False)
    """By key: the state of its files, and what they hold. They are read again only where they have changed."""
    _images: dict[tuple[int, ...], list[int]] = field(default_factory=dict, compare=False, repr=False)
    """The lists of images of the cells seen, each once: most cells are on the same images, of which there are many."""

    def cells(self) -> list[StoredCell]:
        """Every cell that is not damaged, in the order of their keys."""
        return self.survey()[0]

    def survey(self) -> tuple[list[StoredCell], list[Damage]]:
        """Every cell, and what is damaged, both in the order of their keys."""
        keys = sorted(path.name.removesuffix(".json") for path in (self.folder / FOLDER).glob("*.json"))
        found = [self._look(key) for key in keys if files.KEY.fullmatch(key)]
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
        return files.from_parquet(self._records(key))

    def columns(self, key: str, names: Iterable[str]) -> Columns:
        """Some columns of the same, as arrays: a board of thousands of cells reads no more than it needs."""
        return files.columns_from_parquet(self._records(key), names)

    def table(self, key: str) -> Table:
        """The same as an Arrow table."""
        return files.table_from_parquet(self._records(key))

    def images(self, key: str) -> NDArray[Any]:
        """What the attack returned in a cell that has images, before the budget rule: float32, (N, C, H, W)."""
        return files.read_npz(self._file(key, "npz"))["images"]

    @contextmanager
    def writing(self, key: str) -> Iterator[None]:
        """Hold a cell alone among the processes that write into this folder; wait while another holds it.

        Raises StoreError where the folder cannot be written.
        """
        with lock.turn(self._file(key, "json")):
            yield

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
        pixels = files.to_npz({"images": np.asarray(images, dtype=np.float32)})
        table = files.to_parquet(records)
        self._write_files(key, npz=pixels, parquet=table)
        cell = StoredCell(
            key,
            dict(settings),
            "ok",
            None,
            dict(provenance),
            files.now(),
            seconds,
            surrogate_queries,
            observed=dict(observed or {}),
            asked=list(asked),
        )
        self._write_json(cell, records=table, images=pixels)

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
        cell = StoredCell(key, dict(settings), "error", traceback, facts, files.now(), seconds, 0, asked=requests)
        self._write_json(cell)

    def adopt_cell(self, cell: StoredCell, records: DataFrame) -> None:
        """Store a cell that ran elsewhere as it is, without images. Raises as `write_cell` does."""
        table = files.to_parquet(records)
        self._write_files(cell.key, parquet=table)
        self._write_json(replace(cell, has_images=False, digests={}), records=table)

    def renew_cell(self, cell: StoredCell, settings: Mapping[str, Any], records: DataFrame) -> None:
        """Put other records in place of those of a cell that ran, and other values of some settings.

        Its images, provenance and timings stay. Raises as `write_cell` does. Whenever the writer is killed, the cell is
        the old one or the new one.
        """
        table = files.to_parquet(records)
        with self.writing(cell.key):
            self._settle(cell.key)
            atomic.write(self._file(cell.key, _NEXT), table)
            contents = {**self._undigested(cell), "records": table}
            self._write_json(replace(cell, settings={**cell.settings, **settings}), **contents)
            self._settle(cell.key)

    def ask(self, cell: StoredCell, request: Request) -> StoredCell:
        """Record that one more run asks for a cell of this folder; returns the cell with that request."""
        if request in cell.asked:
            return cell
        with self.writing(cell.key):
            cell = self.cell(cell.key) or cell  # another run may have asked since
            return cell if request in cell.asked else self._with_requests(cell, [*cell.asked, request])

    def forget(self, cell: StoredCell, images: int) -> StoredCell:
        """Remove the requests by runs on so many images; returns the cell without them."""
        return self._with_requests(cell, [request for request in cell.asked if request["images"] != images])

    def remove(self, key: str) -> None:
        """Remove the cell with that key, damaged or not, if there is one. Raises StoreError where that fails."""
        files.remove(self.folder / FOLDER, key, _SUFFIXES)  # the JSON first: without it there is no cell

    def _look(self, key: str) -> StoredCell | Damage | None:
        """What is under a key, from memory where its files are as they were; a damage is logged when it is found."""
        paths = [self._file(key, suffix) for suffix in _SUFFIXES]
        if not paths[0].exists():
            return None
        state = [_state(path) for path in paths]
        if key not in self._seen or self._seen[key][0] != state:
            self._seen[key] = state, self._read(key)
            if isinstance(self._seen[key][1], Damage):
                _log.warning("%s", self._seen[key][1])
        return self._seen[key][1]

    def _read(self, key: str) -> StoredCell | Damage:
        content: Any = {}
        try:
            content = files.read_json(self._file(key, "json"))
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
            return Damage(key, *_place(content), reason=files.in_one_line(error))
        images = cell.settings["images"]
        cell.settings["images"] = self._images.setdefault(tuple(images), images)
        return cell

    def _check_files(self, cell: StoredCell, content: Mapping[str, Any]) -> None:
        """Raise where a cell's records or images are not those that were written with its JSON."""
        data = self._records_of(cell.key, content)
        if not cell.digests:
            check_records(cell.settings, files.from_parquet(data))
        if cell.has_images:
            path = self._file(cell.key, "npz")
            if cell.digests:
                digest.check_file(content, "images", bounds.content(path, bounds.ARRAYS))
            elif len(self.images(cell.key)) != len(cell.settings["images"]):
                raise digest.Changed("its images are not as many as its records")

    def _records(self, key: str) -> bytes:
        """The content of the Parquet file of a cell."""
        found = self._look(key)
        if isinstance(found, StoredCell):
            return self._records_of(key, {digest.FIELD: found.digests})
        try:
            return self._records_of(key, files.read_json(self._file(key, "json")))
        except FileNotFoundError:
            raise StoreError(
                f"{self.folder} has no cell {key} any more: another process removed it; run the command again"
            ) from None

    def _records_of(self, key: str, content: Mapping[str, Any]) -> bytes:
        """The content of the Parquet file that a cell's JSON is of: the new one where a killed writer left both."""
        data = bounds.content(self._file(key, "parquet"), bounds.ARRAYS)
        following = self._file(key, _NEXT)
        try:
            digest.check_file(content, "records", data)
        except digest.Changed:
            if not following.exists():
                raise
            data = bounds.content(following, bounds.ARRAYS)
            digest.check_file(content, "records", data)
        return data

    def _with_requests(self, cell: StoredCell, asked: Sequence[Request]) -> StoredCell:
        """Store the cell with other requests; a cell that had no digests gets them."""
        self._settle(cell.key)
        return self._write_json(replace(cell, asked=list(asked)), **self._undigested(cell))

    def _undigested(self, cell: StoredCell) -> dict[str, bytes]:
        """The files of a cell without digests, so that it gets them; none for a cell that has its digests."""
        if cell.digests or cell.status != "ok":
            return {}
        suffixes = {"records": "parquet", **({"images": "npz"} if cell.has_images else {})}
        return {name: self._file(cell.key, suffix).read_bytes() for name, suffix in suffixes.items()}

    def _settle(self, key: str) -> None:
        """Rename the new records of a cell, where its JSON says that it is of them."""
        following, path = self._file(key, _NEXT), self._file(key, "parquet")
        if following.exists():
            try:
                content = files.read_json(self._file(key, "json"))
                if content.get(digest.FIELD, {}).get("records") == digest.of(following.read_bytes()):
                    os.replace(following, path)
            except OSError as error:
                raise StoreError(f"cannot write {path}: {error.strerror or error}; make room") from error

    def _write_files(self, key: str, **contents: bytes) -> None:
        """Write the files of a new cell, by suffix; first remove the JSON of the cell that it replaces, if any."""
        files.remove(self.folder / FOLDER, key, ("json",))
        for suffix, data in contents.items():
            atomic.write(self._file(key, suffix), data)

    def _write_json(self, cell: StoredCell, **contents: bytes) -> StoredCell:
        content = digest.sealed(asdict(cell), **contents)
        atomic.write(self._file(cell.key, "json"), files.to_json(content))
        return replace(cell, digests=content[digest.FIELD])

    def _file(self, key: str, suffix: str) -> Path:
        return files.place(self.folder / FOLDER, key, suffix)


def _place(content: Any) -> tuple[str | None, str | None, str | None]:
    """Suite, target and attack, as far as a cell's JSON says them."""
    settings = content.get("settings") if isinstance(content, dict) else None
    found = [settings.get(name) if isinstance(settings, dict) else None for name in ("suite", "target", "attack")]
    suite, target, attack = (files.printable(value)[:100] if isinstance(value, str) else None for value in found)
    return suite, target, attack


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written again; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
