"""The JSON of a published board, as whoever reads somebody else's has to take it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leaderboard.errors import StoreError
from leaderboard.stored.files import read_json
from leaderboard.stored.store import PROJECT

NAME = "leaderboard.json"
SCHEMA_VERSION = 4
"""Of what `leaderboard.publishing.contents` writes, which says what it holds. All earlier ones are read."""


_FIRST: dict[str, Any] = {
    "machines": [],
    "curves": {"epsilon": [], "queries": []},
    "audit": {
        **dict.fromkeys(("images", "certified_answers", "inside_radius", "flips_inside_radius"), 0),
        **dict.fromkeys(("flips_allowed", "cells", "certificates"), 0),
        "targets": [],
    },
}
"""What version 1 has not: nothing was audited, and no curve drawn."""


def read(board: Path) -> dict[str, Any]:
    """What the JSON of the board in a folder holds: rows, each a table, and whatever else.

    Raises StoreError where there is none, or one of a newer version.
    """
    path = board / NAME
    try:
        content = read_json(path)
        version, rows = content["schema_version"], content["rows"]
        if content["project"] != PROJECT or type(version) is not int or not isinstance(rows, list):
            raise ValueError("none of ours")
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("a row is no table")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{board} has no published board; name a folder with {NAME}") from error
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}, this program reads 1 to {SCHEMA_VERSION}; "
            f"use the version of {PROJECT} that wrote it"
        )
    return _FIRST | content
