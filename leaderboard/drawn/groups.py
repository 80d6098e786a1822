"""How rows are grouped in tables, and what the groups are called."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from leaderboard.row import Row

if TYPE_CHECKING:
    from leaderboard.curves import Panel

DEPLOYMENT = ("suite", "n", "alpha", "seed", "of_images")
"""What rows must have in common to be compared."""


def grouped(rows: Iterable[Row], *names: str) -> list[list[Row]]:
    """Neighbouring rows with equal values under these names, together."""
    return [list(group) for _, group in groupby(rows, key=lambda row: [dict(row)[name] for name in names])]


def together(rows: Iterable[Row], *names: str) -> list[list[Row]]:
    """The rows with equal values under these names, together, in the order of these values."""
    return grouped(sorted(rows, key=lambda row: [dict(row)[name] for name in names]), *names)


def conditions(of: Row | Panel) -> str:
    """What PREDICT was run with: "n = 1,000, α = 0.001", and the seed where it is not 0."""
    return f"n = {of['n']:,}, α = {of['alpha']:g}" + (f", seed {of['seed']}" if of["seed"] else "")


def image_set(row: Row) -> str:
    """The image set of a row: "200 images"."""
    return f"{row['of_images']:,} image{'s' * (row['of_images'] != 1)}"
