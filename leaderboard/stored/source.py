"""Where a cell comes from: computed here, adopted from a board, scored again under other settings, or submitted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict, get_args

from leaderboard.stored.cell import StoredCell

Source = Literal["computed", "adopted", "re-evaluated", "submitted"]

LANDED_FOR = "landed_for"
"""The setting of a re-evaluated cell: n, alpha and seed of the run that made its images."""

ORIGIN = "origin"
"""The setting of a re-evaluated cell: the key of the cell that holds its images."""

SUBMITTED = "submitted"
"""The setting of a submitted cell: the SHA-256 of the file that its images came in."""


class LandedFor(TypedDict):
    """PREDICT's settings that an attack knew when it made its images."""

    n: int
    alpha: float
    seed: int


def source_of(cell: StoredCell) -> Source:
    """Where a cell comes from. A re-evaluated or submitted one stays so when it is adopted."""
    if LANDED_FOR in cell.settings:
        return "re-evaluated"
    if SUBMITTED in cell.settings:
        return "submitted"
    return "computed" if cell.has_images or cell.status != "ok" else "adopted"


def source_of_all(cells: Iterable[StoredCell]) -> Source:
    """Where a row of these cells comes from: adopted, where some of them were."""
    found = {source_of(cell) for cell in cells}
    return next(source for source in reversed(get_args(Source)) if source in found)
