"""The walls: what the room and its folders may import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "leaderboard"
HEAVY = ["torch", "targets", "attacks", "benchmark", "pandas", "scipy", "numpy"]
FILES = sorted(path for path in ROOM.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports anywhere in it, and what it imports from them, with dots."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place(name: str) -> str:
    """The folder of a module of the room: "stored", "drawn", ... or "root"; its name where it is errors."""
    parts = name.split(".")[1:]
    if parts[0] == "errors":
        return "errors"
    return parts[0] if (ROOM / parts[0]).is_dir() else "root"


def test_importing_the_room_is_cheap_and_brings_no_torch():
    code = f"import sys, leaderboard; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_no_file_of_the_room_knows_the_others(path: Path):
    assert {"torch", "targets", "attacks", "benchmark"}.isdisjoint(name.split(".")[0] for name in imports(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_arrows_go_from_publishing_to_what_is_drawn_to_the_rows_to_what_is_stored(path: Path):
    own = path.relative_to(ROOM).parts
    if own == ("__init__.py",):  # the room's face shows all of them
        return
    seen = {place(name) for name in imports(path) if name.split(".")[0] == "leaderboard"}
    if own[0] == "stored":
        assert seen <= {"stored", "errors"}
    elif own[0] == "publishing":
        return
    elif own[0] == "html":
        assert "publishing" not in seen
    elif own[0] == "drawn":
        assert {"publishing", "html"}.isdisjoint(seen)
    else:
        assert {"publishing", "html", "drawn"}.isdisjoint(seen)
