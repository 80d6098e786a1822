"""What cells share, beside a published board: who adopts it trains no surrogate and proves no ceiling anew.

shared/<key>.json, .npz     as in a results folder (see `leaderboard.stored.store`): the target's answers, surrogates,
                            votes and gradients at the originals
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from leaderboard.errors import StoreError
from leaderboard.stored import atomic
from leaderboard.stored.store import Store, read_shared
from leaderboard.stored.stored_cell import StoredCell

FOLDER = "shared"

Settings = dict[str, Any]
Wanted = Callable[[str, Settings], bool]
"""By key and settings."""


def export(store: Store, cells: Collection[StoredCell], output: Path, wanted: Wanted) -> int:
    """Write to `output` what a store holds of the targets and data of `cells` and is `wanted`.

    What is there stays, unless it is damaged; what is damaged in the store is left out, with a warning in the log.
    Returns how many were new.

    Raises StoreError where it cannot be written.
    """
    targets, data = ({cell.settings[name] for cell in cells} for name in ("target", "data"))
    source, folder = store.folder / FOLDER, output / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write into {folder}: {error.strerror or error}; choose another folder") from error
    chosen = [
        key
        for key, settings in entries(source, "remove it, and what it held is computed again").items()
        if (settings["target"] in targets if "target" in settings else settings.get("data") in data)
        if wanted(key, settings) and not _is_whole(folder, key) and store.shared(key) is not None
    ]
    return _copy(source, folder, chosen)


def read(board: Path, wanted: Wanted) -> tuple[list[str], int]:
    """The keys of what lies beside a published board and is `wanted`, for `adopt`, and how much else does.

    Nothing is written.

    Raises:
        StoreError: a wanted file is not whole, or any JSON is not one of ours.
    """
    found = entries(board / FOLDER, "get it again")
    keys = [key for key, settings in found.items() if wanted(key, settings)]
    for key in keys:
        if not _is_whole(board / FOLDER, key):
            raise StoreError(f"{board / FOLDER / key}.npz is damaged or missing; get it again")
    return keys, len(found) - len(keys)


def adopt(store: Store, board: Path, keys: Collection[str]) -> int:
    """Put what `read` found beside a board into `store`, but for what it holds; returns how many that were."""
    folder = store.folder / FOLDER
    return _copy(board / FOLDER, folder, [key for key in keys if not _is_whole(folder, key)])


def entries(folder: Path, advice: str) -> dict[str, Settings]:
    """Settings by key, of all that a folder of what cells share says that it holds.

    Raises StoreError, which ends in `advice`, for a JSON that is not one of ours.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = dict(json.loads(path.read_bytes())["settings"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{path} is damaged or none of ours; {advice}") from error
    return found


def _is_whole(folder: Path, key: str) -> bool:
    """Whether a folder holds what is under a key, undamaged."""
    try:
        read_shared(folder, key)
    except Exception:  # as in `Store.cell`
        return False
    return True


def _copy(source: Path, destination: Path, keys: Collection[str]) -> int:
    for key in keys:
        for name in (f"{key}.npz", f"{key}.json"):  # the arrays first: an entry exists once its JSON does
            atomic.write(destination / name, (source / name).read_bytes())
    return len(keys)
