"""The shared arrays that a published board carries: who adopts it trains no surrogate and proves no ceiling again.

They lie in the board's folder `shared`, in the files of a results folder (see `leaderboard.stored.arrays`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from leaderboard.errors import StoreError
from leaderboard.stored import arrays, atomic
from leaderboard.stored.arrays import FOLDER
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.store import Store

Settings = dict[str, Any]
Wanted = Callable[[str, Settings], bool]
"""Whether the arrays with that key and these settings are to be published, or adopted."""


def export(store: Store, cells: Collection[StoredCell], output: Path, wanted: Wanted) -> int:
    """Write the `wanted` arrays of a store that are of the targets and data of `cells` into the board in `output`.

    What is there stays, unless it is damaged. Arrays that are damaged in the store are left out, with a warning in the
    log. Returns how many were new. Raises StoreError where they cannot be written.
    """
    targets, data = ({cell.settings[name] for cell in cells} for name in ("target", "data"))
    source, folder = store.folder / FOLDER, output / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.sweep(folder)
    except OSError as error:
        raise StoreError(f"cannot write into {folder}: {error.strerror or error}; choose another folder") from error
    chosen = [
        key
        for key, settings in arrays.entries(source, "remove it, and what it held is computed again").items()
        if (settings["target"] in targets if "target" in settings else settings.get("data") in data)
        if wanted(key, settings) and not _is_whole(folder, key) and store.shared(key) is not None
    ]
    return _copy(source, folder, chosen)


def read(board: Path, wanted: Wanted) -> tuple[list[str], int]:
    """The keys of the `wanted` arrays that the board in `board` carries, and how many others it carries.

    Nothing is written.

    Raises:
        StoreError: a wanted file is not whole, or any JSON is not one of ours.
    """
    found = arrays.entries(board / FOLDER, "get it again")
    keys = [key for key, settings in found.items() if wanted(key, settings)]
    for key in keys:
        if not _is_whole(board / FOLDER, key):
            raise StoreError(f"{board / FOLDER / key}.npz is damaged or missing; get it again")
    return keys, len(found) - len(keys)


def adopt(store: Store, board: Path, keys: Collection[str]) -> int:
    """Put the arrays with these keys (see `read`) into `store`, unless it holds them; returns how many were new."""
    folder = store.folder / FOLDER
    return _copy(board / FOLDER, folder, [key for key in keys if not _is_whole(folder, key)])


def _is_whole(folder: Path, key: str) -> bool:
    """Whether a folder holds the arrays under a key, undamaged."""
    try:
        arrays.read(folder, key)
    except Exception:  # as in `Store.shared`
        return False
    return True


def _copy(source: Path, destination: Path, keys: Collection[str]) -> int:
    for key in keys:
        for name in (f"{key}.npz", f"{key}.json"):  # the arrays first: an entry exists once its JSON does
            atomic.write(destination / name, (source / name).read_bytes())
    return len(keys)
