"""Which folder of the harness imports which: the arrows of the house, by the text of every import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmark_helpers import ROOT

BENCHMARK = ROOT / "benchmark"

MAY_IMPORT = {
    "rooms": {"cli"},
    "message": set(),
    "numeral": set(),
    "toml_file": {"numeral"},
    "provenance": set(),
    "suite": set(),
    "suite_file": {"suite", "toml_file"},
    "key": set(),
    "cell": {"key", "suite"},
    "terminal": {"cell", "message"},
    "plugins": {"rooms", "toml_file"},
    "running": {"cell", "key", "plugins", "provenance", "suite", "terminal"},
    "tables": {"key", "provenance", "running"},
    "recheck": {"cell", "key", "provenance", "running", "suite"},
    "seed_paper": {"cell", "key", "provenance", "running", "suite", "terminal"},
    "kit": {"cell", "plugins", "rooms", "running", "suite"},
    "commands": {
        *("cell", "key", "kit", "message", "numeral", "options", "plugins", "provenance", "recheck"),
        *("running", "seed_paper", "suite", "suite_file", "tables", "terminal"),
    },
    "api": {"cell", "commands", "key", "plugins", "recheck", "running", "suite", "suite_file", "terminal"},
    "options": {"message", "numeral"},
    "cli": {"commands", "message", "options", "terminal"},
    "__main__": {"cli"},
    "__init__": {"api", "rooms"},
}
"""By folder or module of the harness: the others that it may import. ``cli`` names its commands as texts."""

RUNS_FROM = {"tables": {"evaluation"}}
"""Where of a folder only some modules may be imported."""


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules, or of what in a module, that a file imports anywhere in its text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(path: Path) -> str:
    return path.relative_to(BENCHMARK).parts[0].removesuffix(".py")


FILES = sorted(BENCHMARK.rglob("*.py"))


def test_every_part_is_in_the_table():
    assert {part(path) for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(BENCHMARK)))
def test_a_part_imports_only_those_that_it_may(path: Path):
    own, parts = part(path), set(MAY_IMPORT)
    for name in imported(path):
        package, _, rest = name.partition(".")
        other, _, inner = rest.partition(".")
        if package == "benchmark" and other in parts - {own}:
            assert other in MAY_IMPORT[own], f"{path.relative_to(ROOT)} imports {name}"
            if own in RUNS_FROM and other == "running":
                assert inner.partition(".")[0] in RUNS_FROM[own], f"{path.relative_to(ROOT)} imports {name}"


def test_there_is_no_circle():
    """Beside the entry point of ``rooms``, which imports ``cli`` when it is called."""
    left = {**MAY_IMPORT, "rooms": set()}
    while left:
        free = {name for name, others in left.items() if not others & set(left)}
        assert free, left
        left = {name: others for name, others in left.items() if name not in free}


@pytest.mark.parametrize("room", ["attacks", "leaderboard", "targets"])
def test_no_other_room_imports_the_harness(room: str):
    files = list((ROOT / room).rglob("*.py"))
    assert len(files) > 10
    for path in files:
        for name in imported(path):
            assert name.partition(".")[0] not in {"benchmark", "abstention_bench"}, f"{path.relative_to(ROOT)}: {name}"
