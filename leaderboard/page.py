"""The published board: a Markdown page, its picture, and the same rows as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from leaderboard import atomic
from leaderboard.board import rows
from leaderboard.errors import StoreError
from leaderboard.markdown import markdown
from leaderboard.picture import svg
from leaderboard.store import FIRST_RUN, PROJECT, Store

SCHEMA_VERSION = 1
"""Of `leaderboard.json`: an object with schema_version, project, version, commit, created and rows."""


def publish(store: Store, output: Path, *, commit: str, version: str, created: str) -> list[Path]:
    """Write LEADERBOARD.md, leaderboard.json and board.svg into `output`; returns their paths.

    The same store, `commit`, `version` and `created` (ISO 8601) give the same bytes. Raises StoreError where
    the store holds no cell, or `output` cannot be written.
    """
    board = rows(store)
    if not board:
        raise StoreError(f"no results in {store.folder}: {FIRST_RUN}")
    content = {
        "schema_version": SCHEMA_VERSION,
        "project": PROJECT,
        "version": version,
        "commit": commit,
        "created": created,
        "rows": board,
    }
    page = markdown(board, commit=commit, version=version, created=created, picture="board.svg")
    files = {
        "LEADERBOARD.md": page,
        "leaderboard.json": json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "board.svg": svg(board),
    }
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write into {output}: it is not a folder, choose another one") from error
    for name, text in files.items():
        atomic.write(output / name, text.encode())
    return [output / name for name in files]
