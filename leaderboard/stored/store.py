"""The store: a results folder on disk.

store.json      whose folder this is, and the version of its layout
cells/          cells, their records and images: see `leaderboard.stored.cells`
shared/         arrays that cells share: see `leaderboard.stored.arrays`
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboard.errors import StoreError
from leaderboard.stored import arrays, atomic, cells, files, lock

PROJECT = "abstention-bench"
MARK = "store.json"
SCHEMA_VERSION = 2
"""Version 1 knew no digests and no requests; it is read, and becomes 2 when it is opened to be written to."""
FIRST_RUN = "run `python -m benchmark run --all` first"


@dataclass(frozen=True)
class Store(cells.Cells, arrays.SharedArrays):
    """A results folder: its cells, and the arrays that they share.

    Make one with `Store.open` (to run) or `Store.read` (to look).
    """

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
                atomic.write(folder / MARK, files.to_json(mark))
            for part in _parts(folder):
                part.mkdir(exist_ok=True)
            cls(folder).sweep()
            for unfinished in (folder / arrays.FOLDER).glob("*.checkpoint"):
                if unfinished.with_suffix(".json").exists():  # its arrays have been stored whole since
                    unfinished.unlink(missing_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError(f"results folder {folder} is not a folder; choose another one") from error
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"results folder {folder}: {reason}; choose another one") from error
        return cls(folder, key_of)

    def sweep(self) -> None:
        """Remove what writers that are gone left behind: temporary files and locks. Those of living ones stay."""
        for part in _parts(self.folder):
            atomic.sweep(part)
            lock.sweep(part)

    @classmethod
    def read(cls, folder: Path, key_of: Callable[[dict[str, Any]], str] | None = None) -> Store:
        """The store in `folder`, for reading: changes nothing. Raises StoreError where there is none."""
        if not folder.exists():
            raise StoreError(f"no results in {folder}, which does not exist: check --results, or {FIRST_RUN}")
        if not folder.is_dir():
            raise StoreError(f"results folder {folder} is not a folder; choose another one")
        try:
            version = _version(folder)
        except OSError as error:
            raise StoreError(f"results folder {folder}: {error.strerror}; choose another one") from error
        if version is None:
            raise StoreError(f"no results in {folder}: {FIRST_RUN}")
        return cls(folder, key_of)


def _parts(folder: Path) -> tuple[Path, ...]:
    return folder, folder / cells.FOLDER, folder / arrays.FOLDER


def _version(folder: Path) -> int | None:
    """That of the layout; None where nothing is in `folder` yet; StoreError if what is there is not for us to read."""
    mark = folder / MARK
    if not mark.exists():
        # Hidden files do not count: .gitkeep, .DS_Store, the remains of a writer killed at its first step.
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            raise StoreError(f"{folder} holds other files and no results of {PROJECT}; choose another folder")
        return None
    try:
        content = files.read_json(mark)
        project, version = content["project"], content["schema_version"]
        if isinstance(version, bool) or not isinstance(version, int):
            raise TypeError
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{mark} is not one of {PROJECT}'s; choose another folder") from error
    if project != PROJECT:
        raise StoreError(f"{folder} belongs to {project!r:.100}, not to {PROJECT!r}; choose another folder")
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreError(
            f"{folder} has schema version {version}, this program reads 1 to {SCHEMA_VERSION}; "
            f"choose another folder or the version of {PROJECT} that wrote it"
        )
    return version
