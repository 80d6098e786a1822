"""The board that a folder holds already: which of its files to remove, and whether to write over it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from leaderboard.publishing.names import BY_N, DATA, EPSILON, QUERIES, STANDINGS
from leaderboard.stored import sequential
from leaderboard.stored.archive import RECORDS, keys
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.files import read_json
from leaderboard.stored.store import MARK, Store


def occasional(output: Path) -> set[str]:
    """The names of the files that not every board has, of the board in `output`, if there is one."""
    try:
        board = read_json(output / DATA)
        curves = board["curves"]
        left = {name for name, of in ((EPSILON, "epsilon"), (QUERIES, "queries")) if curves[of]}
        left |= {STANDINGS} if board.get("standings") else set()
        left |= {sequential.NAME} if board.get("sequential") else set()
        return left | {BY_N} if board.get("availability_by_n") else left
    except (OSError, ValueError, TypeError, KeyError):  # none of ours
        return set()


def is_another(store: Store, cells: Collection[StoredCell], output: Path, names: Collection[str]) -> str | None:
    """Why `output` holds something else than an earlier board of these cells; None if it does not."""
    if not any((output / name).exists() for name in names):
        return None
    if (output / MARK).exists():
        is_own = output.resolve() == store.folder.resolve()
        return None if is_own else "is another results folder, with a board of its own"
    held = keys(output / RECORDS)
    if held is None:
        return "holds files of these names that are no board with records of ours"
    lacking = held - {cell.key for cell in cells}
    return f"holds another board, with {len(lacking)} cells that this one is without" if lacking else None
