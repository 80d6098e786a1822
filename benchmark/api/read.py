"""Boards and comparisons from Python, of results in memory and in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.api.result import Result
from benchmark.recheck.comparison import Choice, compare_attacks, compare_folders
from benchmark.recheck.comparison_table import as_json
from benchmark.recheck.recorded import Recorded, recorded
from leaderboard import Row
from leaderboard.board import board as board_of

Recording = Result | str | Path
"""A result, a results folder, or a published board with records."""


def board(of: Recording) -> list[Row]:
    """The rows of a result, a results folder or a published board, ranked.

    Raises:
        StoreError: the folder holds no results.
    """
    if isinstance(of, Result):
        return of.rows
    found = _recorded(of)
    return board_of(found.holder, found.cells)


def compare(a: Recording, b: Recording, *, within: Recording | None = None) -> list[dict[str, Any]]:
    """Paired differences, image by image: of two results, folders or boards; or of two attacks within one.

    Args:
        a, b: what is compared, row by row that both have. With ``within``, names of two attacks, each under its
            largest query budget.
        within: where the two attacks' records are.

    Returns:
        What both sides of a pair have in common, as target and epsilon; ``images``, the number that both have;
        ``rate_a`` and ``rate_b``, abstention rates on them; ``difference``, B's minus A's, with the 95% interval
        ``difference_low`` to ``difference_high`` (Newcombe's method 10); ``only_a`` and ``only_b``, images on which
        that side alone abstains; ``p`` (McNemar's exact test) and ``p_holm``, adjusted for all pairs.

    Raises:
        InputError: the two have no row in common, or records of different images; or no attack has such a name.
        StoreError: a folder holds no results.
    """
    if within is not None:
        table = compare_attacks(_recorded(within), str(a), str(b), Choice())
    else:
        table = compare_folders(_recorded(a), _recorded(b), _name(a), _name(b), Choice())
    return as_json(table.lines, None)


def _name(of: Recording) -> str:
    return "a result" if isinstance(of, Result) else str(of)


def _recorded(of: Recording) -> Recorded:
    """What is in it; of a result that went on in a folder, its own cells alone."""
    if not isinstance(of, Result):
        return recorded(Path(of))
    found, keys = recorded(of.folder), set(of.records["cell"])
    return Recorded(found.folder, [cell for cell in found.cells if cell.key in keys], [], found.holder, found.store)
