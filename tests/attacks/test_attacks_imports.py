"""Arrows between the room's folders go one way, and none leads out of it but to the targets."""

from __future__ import annotations

import ast
from pathlib import Path

ROOM = Path(__file__).parents[2] / "attacks"
ACCESSES = {"control", "white_box", "score", "decision", "transfer", "hybrid"}
MAY = {
    "access": {"access"},
    "search": {"access", "search"},
    "libraries": {"access", "search", "libraries"},
    "transfer": {"access", "search", "transfer", "white_box"},
    "hybrid": {"access", "search", "hybrid", "white_box"},
    **{name: {"access", "search", name} for name in ("control", "white_box", "score", "decision")},
}
"""The folders that a folder's files may import from, beside the room's own files."""


def imported(file: Path) -> list[str]:
    """Every module that a file imports, wherever in it the import stands."""
    names = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def test_the_room_knows_neither_the_harness_nor_the_board():
    files = sorted(ROOM.rglob("*.py"))
    assert len(files) > 40
    for file in files:
        assert not {name.split(".")[0] for name in imported(file)} & {"benchmark", "leaderboard"}, file


def test_no_import_is_for_types_alone_as_it_would_hide_a_circle():
    for file in ROOM.rglob("*.py"):
        assert "TYPE_CHECKING" not in file.read_text(encoding="utf-8"), file


def test_folders_import_one_way():
    folders = {path.name for path in ROOM.iterdir() if (path / "__init__.py").exists()}
    assert folders == MAY.keys()
    for folder, may in MAY.items():
        for file in (ROOM / folder).rglob("*.py"):
            parts = [name.split(".") for name in imported(file) if name.startswith("attacks.")]
            used = {second for _, second, *_ in parts if second in folders}
            assert used <= may, f"{file} imports from {sorted(used - may)}"


def test_the_rooms_own_files_import_no_attack():
    for file in ROOM.glob("*.py"):
        if file.name != "__init__.py":
            used = {name.split(".")[1] for name in imported(file) if name.startswith("attacks.")}
            assert not used & {*ACCESSES, "libraries", "search"}, file
