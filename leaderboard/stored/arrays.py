"""Shared arrays: what several cells of a results folder use and one of them computed.

    shared/<key>.json       settings, who computed them, and digests
    shared/<key>.npz        the arrays: votes, answers, weights of surrogates, what ceilings are proven from
    shared/<key>.checkpoint what there is so far of arrays that take long

The JSON is written last, and the arrays exist only if their JSON does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboard.errors import StoreError
from leaderboard.stored import atomic, bounds, digest, files, lock

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = "shared"
NOT_RECORDED = "not recorded where"

_log = logging.getLogger("abstention_bench")


def read(folder: Path, key: str) -> dict[str, NDArray[Any]]:
    """The arrays under a key in a folder of shared arrays. Where they are absent or damaged this may raise anything."""
    content = files.read_json(files.place(folder, key, "json"))
    digest.check(content)
    if content["key"] != key:
        raise digest.Changed(f"it is the JSON of {content['key']}")
    path = files.place(folder, key, "npz")
    digest.check_file(content, "arrays", bounds.content(path, bounds.ARRAYS))
    return files.read_npz(path)


def entries(folder: Path, advice: str) -> dict[str, dict[str, Any]]:
    """By key, the settings of all arrays in a folder of shared arrays.

    Raises StoreError, which ends in `advice`, for a JSON that is not one of ours.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            settings = dict(files.read_json(path)["settings"])
            if not all(isinstance(settings.get(name, ""), str) for name in ("what", "target", "data")):
                raise ValueError("what it is of is no text")
            found[path.stem] = settings
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{path} is damaged or none of ours; {advice}") from error
    return found


@dataclass(frozen=True)
class SharedArrays:
    """The shared arrays of the results folder `folder`, a part of `Store`."""

    folder: Path

    def shared(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays stored by `write_shared`; None if absent, or (with a warning in the log) if damaged."""
        if not self._array_file(key, "json").exists():
            return None
        try:
            return read(self.folder / FOLDER, key)
        except Exception as error:  # a damaged file may raise anything; the cure is to compute it again
            _log.warning("shared arrays %s are damaged and are made again: %s", key, files.in_one_line(error))
            return None

    def shared_settings(self) -> dict[str, dict[str, Any]]:
        """By key, the settings of all that `write_shared` stored. Raises StoreError for a JSON that is none of ours."""
        return entries(self.folder / FOLDER, "remove it, and what it held is computed again")

    def made_by(self, key: str) -> str:
        """What trained or computed the arrays under `key`, as far as it was recorded."""
        return str(files.read_json(self._array_file(key, "json")).get("made_by", NOT_RECORDED))

    def write_shared(
        self, key: str, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], made_by: str | None = None
    ) -> None:
        """Store named arrays, any shape and dtype, under `key`. Raises StoreError where writing fails."""
        data = files.to_npz(arrays)
        atomic.write(self._array_file(key, "npz"), data)
        content = {"key": key, "settings": dict(settings), "created": files.now()}
        content |= {} if made_by is None else {"made_by": made_by}
        atomic.write(self._array_file(key, "json"), files.to_json(digest.sealed(content, arrays=data)))
        self.checkpoint(key).unlink(missing_ok=True)

    def remove_shared(self, key: str) -> None:
        """Remove the arrays under `key` if there are any. Raises StoreError where that fails."""
        files.remove(self.folder / FOLDER, key, ("json", "npz", "checkpoint"))

    def turn(self, key: str) -> AbstractContextManager[None]:
        """Wait until no other process computes the arrays under `key`, and keep the others waiting meanwhile."""
        return lock.turn(self._array_file(key, "npz"))

    def checkpoint(self, key: str) -> Path:
        """The file for what there is so far of the arrays under `key`; `write_shared` removes it."""
        return self._array_file(key, "checkpoint")

    def partial(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays that `write_partial` kept last; None if absent or damaged."""
        try:
            return files.read_npz(self.checkpoint(key))
        except Exception:  # as in `shared`
            return None

    def write_partial(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what there is so far of the arrays under `key`. Raises StoreError where writing fails."""
        atomic.write(self.checkpoint(key), files.to_npz(arrays))

    def _array_file(self, key: str, suffix: str) -> Path:
        return files.place(self.folder / FOLDER, key, suffix)
