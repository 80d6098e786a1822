"""A site of several boards: a folder that any host of static files serves."""

from __future__ import annotations

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
from leaderboard.stored import atomic, board_file, sequential, unfinished
from leaderboard.stored.archive import RECORDS, read
from leaderboard.stored.files import in_one_line
from leaderboard.stored.records import arrays
from leaderboard.stored.store import PROJECT
from leaderboard.variants import variants


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
    from markupsafe import Markup

    files: dict[Path, bytes] = {}
    entries = []
    for name, board in zip(names, boards, strict=True):
        content = _content(board)
        page = board / INDEX
        try:
            entry = Entry(name, content, overview(attacked([complete(row) for row in content["rows"]])))
            entries.append(Markup(render("site_entry.html.j2", entry=entry)))
            text = page.read_bytes() if page.is_file() else html(content, _details(board, key_of, command)).encode()
        except StoreError:
            raise
        except Exception as error:  # what somebody else wrote may lack anything
            reason = in_one_line(error)
            raise StoreError(
                f"{board / board_file.NAME} is none that publish wrote ({reason:.100}); get the board again"
            ) from error
        files[output / name / INDEX] = text
        for other in (board_file.NAME, RECORDS, sequential.NAME):
            if (board / other).is_file():
                files[output / name / other] = (board / other).read_bytes()
    index = render("site.html.j2", entries=entries, project=PROJECT).encode()
    files = {output / INDEX: index, **files}
    try:
        for folder in {path.parent for path in files}:
            folder.mkdir(parents=True, exist_ok=True)
            atomic.sweep(folder)
    except OSError as error:
        raise StoreError(f"cannot write into {output}: {error.strerror or error}; choose another folder") from error
    with unfinished.together(output):
        for path, data in files.items():
            atomic.write(path, data)
    return [path for path in files if path.name == INDEX]


def _content(board: Path) -> dict[str, Any]:
    content = board_file.read(board)
    if unfinished.is_marked(board):
        raise StoreError(f"{board} holds files of two boards: publish was stopped, or is at work; run it again")
    if not content["rows"]:
        raise StoreError(f"{board} has no published board; name a folder with {board_file.NAME} that has rows")
    return content


def _details(board: Path, key_of: Callable[[dict[str, Any]], str], command: Callable[[Asked], str]) -> Details | None:
    """From the board's records; None where it was published without."""
    if not (board / RECORDS).exists():
        return None
    held = read(board / RECORDS, key_of)
    records = {cell.key: part for cell, part in held}
    return details(
        variants(cell for cell, _ in held), lambda key, names: arrays(records[key], names), command, is_own=False
    )
