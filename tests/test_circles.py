"""No file imports one that imports it, on whatever way: not inside a function and not for types alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("targets", "attacks", "leaderboard", "benchmark")
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
}
CALLED = ("benchmark.rooms", "benchmark.cli")
"""The program's entry point imports the command line when it is called, and is imported by who names the rooms."""


def imported(path: Path) -> Iterator[str]:
    """The modules of the rooms that a file imports anywhere in its text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom) and node.module in FILES:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in FILES else node.module for name in inner)


def test_there_is_no_circle_of_files():
    assert len(FILES) > 300
    arrows = {name: set(imported(path)) - {name} for name, path in FILES.items()}
    arrows[CALLED[0]].remove(CALLED[1])
    TopologicalSorter(arrows).prepare()  # raises CycleError, which names the files
