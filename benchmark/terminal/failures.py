"""Why cells failed, in few words: the error, and the lines that it went through last."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmark.message import one_line
from leaderboard import StoredCell

FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+)$', re.MULTILINE)
"""A line of a traceback, as Python writes it."""

KEY = 12
"""Characters of a cell's key that name it."""


def where(traceback: str, frames: int = 2) -> str:
    """A traceback's error and its last frames, as "ValueError: text (my_attack.py, line 30, in step; …)"."""
    lines = traceback.strip().splitlines()
    error = next((line for line in reversed(lines) if re.match(r"[A-Za-z_]", line)), "unknown error").strip()
    found = list(FRAME.finditer(traceback))[-frames:]
    places = "; ".join(f"{Path(m['file']).name}, line {m['line']}, in {m['function']}" for m in found)
    return f"{error} ({places})" if places else error


def described(cell: StoredCell) -> str:
    """A stored cell in a few words."""
    settings = cell.settings
    budget = settings.get("query_budget")
    queries = "" if budget is None else f" × ≤ {budget:,} queries"
    return f"{settings['target']} × {settings['attack']} × ε {settings['epsilon']:g}{queries}"


def say_failures(cells: Iterable[StoredCell], folder: Path, program: str) -> None:
    """On standard error, a line for each attack that failed and where, and the command that shows the whole traceback.

    Args:
        folder: of the results.
        program: how this program is started.
    """
    told: dict[tuple[str, str], StoredCell] = {}
    for cell in cells:
        if cell.error is not None:
            told.setdefault((cell.settings["attack"], where(cell.error)), cell)
    for (_, reason), cell in told.items():
        print(one_line(f"{described(cell)} failed: {reason}"), file=sys.stderr)
        print(f"  {program} show {cell.key[:KEY]} --results {folder}", file=sys.stderr)
