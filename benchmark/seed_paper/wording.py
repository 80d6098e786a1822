"""How the report writes numbers, and tables in Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from benchmark.seed_paper.findings import Rate
from leaderboard.drawn import numbers
from leaderboard.drawn.numbers import NONE, number

NAMES = {"original": "original", "again": "original, again", "cw-transfer": "CW", "tv-transfer": "TV"}
"""The report's names of attacks and controls, which are the paper's where it has one."""

QUERIES = {
    "test": "test images",
    "train": "training images",
    "noise": "uniform-noise images",
    "unrelated": "unrelated images",
}
"""The report's names of query sets."""


def percent(share: float | None) -> str:
    """0.7062 → "70.62%"."""
    return numbers.percent(share, 2)


def interval(rate: Rate) -> str:
    """A share with its 95% interval in percent: "70.62% [69.72, 71.51]"; a dash where there was no image."""
    return numbers.percent_with_interval(rate.share, rate.low, rate.high, 2)


def minus(rate: Rate, value: float | None, mark: str = " †") -> str:
    """Ours minus the paper's value in percentage points, marked where the paper's lies outside our interval."""
    if rate.share is None or value is None:
        return NONE
    return f"{100 * (rate.share - value):+.2f}".replace("-", "−") + ("" if rate.holds(value) else mark)


def compared(cells: Sequence[tuple[str, Rate, float | None]]) -> str:
    """A sentence that lists which of the paper's values lie inside our intervals and which outside.

    Args:
        cells: a name, our rate, and the paper's value or None.
    """
    known = [(name, rate, value) for name, rate, value in cells if value is not None and rate.share is not None]
    parts = [
        f"{place} our interval: "
        + (", ".join(f"{name} ({minus(rate, value, mark='')})" for name, rate, value in chosen) or "none")
        for place, chosen in (
            ("inside", [cell for cell in known if cell[1].holds(cell[2])]),
            ("outside", [cell for cell in known if not cell[1].holds(cell[2])]),
        )
    ]
    return f"The paper's values (ours minus paper, in points) {'; '.join(parts)}."


def norm(value: float | None) -> str:
    """A norm with three decimals."""
    return number(value, digits=3)


def paragraph(text: str) -> str:
    """Text in lines of at most 120 characters."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> str:
    """A Markdown table. The first ``text_columns`` columns align left, the others, which are numbers, right."""
    align = ["---"] * text_columns + ["---:"] * (len(headers) - text_columns)
    return "\n".join(f"| {' | '.join(line)} |" for line in [headers, align, *rows])
