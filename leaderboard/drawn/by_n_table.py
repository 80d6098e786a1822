"""How n buys availability, as a section of the Markdown page: how to read it, the picture, and a table a target."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.availability_by_n import AtN, ByN
from leaderboard.drawn.availability_tables import Grid
from leaderboard.drawn.markup import escape, table
from leaderboard.drawn.numbers import number, percent, percent_with_interval

ABOUT = """\
PREDICT answers more images if it takes more noise samples. A table shows one target at one ε, and what it keeps at
each n. All its rows are over the same images. The attacks were landed anew for each n. *Every attack* counts an image
only if the target answers it (rightly) under every attack. *Certified* is what no attack within ε can take away.
Intervals are at 95%, and exact; what is certified is a lower bound already.
"""


def section(series: Sequence[ByN], picture: str) -> list[str]:
    """The parts of the section; none without series."""
    if not series:
        return []
    image = f"![Right answers of each target against n: clean, under attack, certified]({picture})"
    return ["## How n buys availability", image, ABOUT, *map(_part, series)]


def title(one: ByN) -> str:
    """A target, its ε, and what else all points have in common."""
    seed = f", seed {one['seed']}" if one["seed"] else ""
    conditions = f"α = {one['alpha']:g}{seed}, {one['images']:,} images, {one['attacks']} attacks"
    return f"{one['suite']}, {one['target']}, ε = {one['epsilon']}, {conditions}"


def _part(one: ByN) -> str:
    return f"**{escape(title(one))}**\n\n" + table(*grid(one), text_columns=0)


def grid(one: ByN) -> Grid:
    """A line for each n."""
    headers = ["n", "clean: answered", "clean: right", "every attack: answered", "every attack: right"]
    return Grid([*headers, "certified: answered", "certified: right"], [_line(point) for point in one["points"]])


def _line(point: AtN) -> list[str]:
    measured = [point["clean_answered"], point["clean_right"], point["answered"], point["right"]]
    texts = [percent_with_interval(rate["rate"], rate["low"], rate["high"]) for rate in measured]
    return [number(point["n"]), *texts, percent(point["certified_answered"]), percent(point["certified_right"])]
