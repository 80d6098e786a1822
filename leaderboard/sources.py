"""Where rows come from, as pages and the terminal show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leaderboard.stored.source import LANDED_FOR, Source

if TYPE_CHECKING:
    from leaderboard.row import Row

MARKS: dict[Source, str] = {"computed": "", "adopted": "ᵃ", "re-evaluated": "ʳ", "submitted": "ˢ"}
"""What stands behind an attack's name on pages and in the terminal."""

MEANINGS: dict[Source, str] = {
    "computed": "attacked and evaluated in this results folder",
    "adopted": "adopted from a published board: its records were computed elsewhere",
    "re-evaluated": "stored images, scored again for another n, α or seed than the attack knew",
    "submitted": "images made by somebody else's program, scored here; what they cost is as the submitter says",
}


def attacked(rows: Iterable[Row]) -> list[Row]:
    """The rows whose images were made for the settings that they are scored by: all but the re-evaluated ones."""
    return [row for row in rows if LANDED_FOR not in row]


def landed_for(row: Row) -> tuple[int, float, int]:
    """n, alpha and seed that a row's images were made for: its own, unless it is re-evaluated."""
    own: Mapping[str, Any] = row.get(LANDED_FOR) or row  # type: ignore[assignment]
    return own["n"], own["alpha"], own["seed"]


def mark(rows: Iterable[Row]) -> str:
    """The marks of some rows of one attack; rows of older boards, which do not say their source, have none."""
    found: set[Source] = {row.get("source", "computed") for row in rows}
    return "".join(MARKS[source] for source in MARKS if source in found)


def legend(rows: Sequence[Row]) -> list[str]:
    """What the marks on these rows mean, a line each; empty where every row was computed here."""
    found = {row.get("source", "computed") for row in rows}
    return [f"{MARKS[source]}: {MEANINGS[source]}" for source in MARKS if MARKS[source] and source in found]
