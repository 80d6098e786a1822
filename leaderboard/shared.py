"""What cells share, beside a published board: who adopts it trains no surrogate and proves no ceiling anew.

shared/<key>.json, .npz     as in a results folder (see `leaderboard.store`): the target's answers, surrogates,
                            votes and gradients at the originals
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from leaderboard import atomic
from leaderboard.errors import StoreError
from leaderboard.store import Store, StoredCell, read_arrays

FOLDER = "shared"

Settings = dict[str, Any]


def export(store: Store, cells: Collection[StoredCell], output: Path, wanted: Callable[[str, Settings], bool]) -> int:
    """Write to `output` what a store holds of the targets and data of `cells` and is `wanted` by key and settings.

    What is there already stays; returns how many were new.

    Raises StoreError where it cannot be written.
    """
    targets, data = ({cell.settings[name] for cell in cells} for name in ("target", "data"))
    folder = output / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write into {folder}: {error.strerror or error}; choose another folder") from error
    chosen = [
        key
        for key, settings in _entries(store.folder / FOLDER).items()
        if (settings["target"] in targets if "target" in settings else settings.get("data") in data)
        if wanted(key, settings) and not (folder / f"{key}.json").exists()
    ]
    return _copy(store.folder / FOLDER, folder, chosen)


def read(board: Path, key_of: Callable[[Settings], str]) -> dict[str, Settings]:
    """The settings by key of what lies beside a published board, for `adopt`; nothing is written.

    Args:
        key_of: the key of such settings; what lies under another was edited, or is of another experiment.

    Raises:
        StoreError: that, or something there is not whole.
    """
    entries = _entries(board / FOLDER)
    for key, settings in entries.items():
        if key_of(settings) != key:
            raise StoreError(f"{board / FOLDER / key}.json: settings are not those of its key; get the folder again")
        try:
            read_arrays(board / FOLDER / f"{key}.npz")
        except Exception as error:  # as in `Store.cell`
            raise StoreError(f"{board / FOLDER / key}.npz is damaged or missing; get the folder again") from error
    return entries


def adopt(store: Store, board: Path, entries: Mapping[str, Settings]) -> int:
    """Put what `read` found beside a board into `store`, but for what it holds; returns how many that were."""
    return _copy(board / FOLDER, store.folder / FOLDER, [key for key in entries if store.shared(key) is None])


def _entries(folder: Path) -> dict[str, Settings]:
    """Settings by key."""
    try:
        return {path.stem: dict(json.loads(path.read_bytes())["settings"]) for path in sorted(folder.glob("*.json"))}
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{folder} holds a file that is damaged or none of ours; get it again") from error


def _copy(source: Path, destination: Path, keys: Collection[str]) -> int:
    for key in keys:
        for name in (f"{key}.npz", f"{key}.json"):  # the arrays first: an entry exists once its JSON does
            try:
                content = (source / name).read_bytes()
            except OSError as error:
                raise StoreError(f"{source / name}: {error.strerror or error}; get the folder again") from error
            atomic.write(destination / name, content)
    return len(keys)
