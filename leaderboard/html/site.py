"""A site of several boards: a folder that any host of static files serves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboard.errors import StoreError
from leaderboard.html.details import Details, details
from leaderboard.html.overview import Overview, overview
from leaderboard.html.page import INDEX, complete, html, render
from leaderboard.machines import Asked
from leaderboard.sources import attacked
from leaderboard.stored import atomic
from leaderboard.stored.archive import RECORDS, read
from leaderboard.stored.store import PROJECT
from leaderboard.variants import variants

_DATA = "leaderboard.json"


@dataclass(frozen=True)
class Entry:
    """A board on the index."""

    name: str
    content: dict[str, Any]
    glance: Overview

    def count(self, key: str) -> int:
        """How many different values its rows have there."""
        return len({row[key] for row in self.content["rows"]})


def site(
    boards: Sequence[Path],
    output: Path,
    *,
    key_of: Callable[[dict[str, Any]], str],
    command: Callable[[Asked], str],
) -> list[Path]:
    """Write an index over published boards, and a folder for each with its page, JSON and records, into `output`.

    A board's own page is taken as it is; one that was published without gets one from its JSON and records. A folder
    is named as the board's is.

    Args:
        boards: folders of published boards.
        key_of: the key of a cell with such settings, see `leaderboard.stored.archive.read`.
        command: says how what was asked for is run.

    Returns the pages' paths, the index first. Raises StoreError where a folder has no board, two have one name, or
    `output` cannot be written.
    """
    names = [board.resolve().name for board in boards]
    for name in names:
        if names.count(name) > 1:
            raise StoreError(f"two boards are named {name}; rename one of the folders")
    files: dict[Path, bytes] = {}
    entries = []
    for name, board in zip(names, boards, strict=True):
        content = _content(board)
        entries.append(Entry(name, content, overview(attacked([complete(row) for row in content["rows"]]))))
        page = board / INDEX
        text = page.read_bytes() if page.exists() else html(content, _details(board, key_of, command)).encode()
        files[output / name / INDEX] = text
        for other in (_DATA, RECORDS):
            if (board / other).exists():
                files[output / name / other] = (board / other).read_bytes()
    index = render("site.html.j2", entries=entries, project=PROJECT).encode()
    files = {output / INDEX: index, **files}
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(path, data)
    except OSError as error:
        raise StoreError(f"cannot write into {output}: {error.strerror or error}; choose another folder") from error
    return [path for path in files if path.name == INDEX]


def _content(board: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((board / _DATA).read_bytes())
        if content["project"] != PROJECT or not content["rows"]:
            raise ValueError("no rows")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{board} has no published board; name a folder with {_DATA}") from error
    return content


def _details(board: Path, key_of: Callable[[dict[str, Any]], str], command: Callable[[Asked], str]) -> Details | None:
    """From the board's records; None where it was published without."""
    if not (board / RECORDS).exists():
        return None
    held = read(board / RECORDS, key_of)
    records = {cell.key: part for cell, part in held}
    return details(variants(cell for cell, _ in held), records.__getitem__, command, is_own=False)
