"""Numbers as people read them, and the board as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from leaderboard.board import at_largest_budget
from leaderboard.row import Row

if TYPE_CHECKING:
    from leaderboard.curves import Panel

NONE = "—"


def percent(share: float | None) -> str:
    """0.12 → "12.0%"."""
    return NONE if share is None else f"{share:.1%}"


def interval(row: Row) -> str:
    """The abstention rate of a row with its 95% interval, in percent: "12.0% [10.1, 14.2]"."""
    if row["abstention_low"] is None or row["abstention_high"] is None:
        return row["status"]
    low, high = 100 * row["abstention_low"], 100 * row["abstention_high"]
    return f"{percent(row['abstention_rate'])} [{low:.1f}, {high:.1f}]"


def number(value: float | None, digits: int = 0) -> str:
    """12345.678 → "12,346", or with as many decimals as `digits`."""
    return NONE if value is None else f"{value:,.{digits}f}"


def duration(seconds: float) -> str:
    """29 → "29 s", 90 → "1.5 min", 9000 → "2.5 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def p_value(p: float | None) -> str:
    """0.0312 → "0.031"; "<0.0001" below."""
    if p is None:
        return NONE
    return f"{p:.2g}" if p >= 1e-4 else "<0.0001"


def conditions(of: Row | Panel) -> str:
    """What PREDICT was run with: "n = 1,000, α = 0.001", and the seed where it is not 0."""
    return f"n = {of['n']:,}, α = {of['alpha']:g}" + (f", seed {of['seed']}" if of["seed"] else "")


def grouped(rows: Iterable[Row], *names: str) -> list[list[Row]]:
    """Neighbouring rows with equal values under these names, together."""
    return [list(group) for _, group in groupby(rows, key=lambda row: [dict(row)[name] for name in names])]


def terminal(rows: Sequence[Row]) -> str:
    """The board as text, one table for each target and ε of the largest query budgets, failures below it."""
    from tabulate import tabulate

    headers = ["#", "attack", "access", "abstain [95% CI]", "clean", "ceiling", "share", "accuracy", "valid"]
    headers += ["ℓ2", "queries", "s/img"]
    blocks = []
    for group in grouped(rows, "suite", "target", "n", "alpha", "seed", "of_images", "epsilon"):
        first = group[0]
        lines = [f"{first['target']} · ε = {first['epsilon']} · {conditions(first)} · {first['of_images']:,} images"]
        table = [
            [
                row["rank"] or "",
                row["attack"],
                row["access"],
                interval(row),
                percent(row["clean_abstention_rate"]),
                percent(row["ceiling"]),
                percent(row["share_of_ceiling"]),
                percent(row["accuracy"]),
                percent(row["valid_rate"]),
                number(row["l2_mean"], 3),
                number(row["queries_mean"]),
                number(row["seconds_per_image"], 3),
            ]
            for row in at_largest_budget(group)
        ]
        align = ["right", "left", "left", *["right"] * 9]
        lines.append(tabulate(table, headers, tablefmt="simple", disable_numparse=True, colalign=align))
        for row in group:
            if row["status"] == "failed":
                lines.append(f"{_limited(row)} failed: {row['error']}")
            elif row["status"] == "partial":
                lines.append(f"{_limited(row)} is partial: {row['images']:,} of {row['of_images']:,} images")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _limited(row: Row) -> str:
    return row["attack"] if row["query_budget"] is None else f"{row['attack']} (≤ {row['query_budget']:,} queries)"
