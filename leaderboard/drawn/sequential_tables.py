"""The costs at the sequential predictor as a section of the Markdown page: how to read it, and its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leaderboard.access import spoken
from leaderboard.availability import Rate, Standing
from leaderboard.drawn import availability_tables
from leaderboard.drawn.availability_tables import Grid
from leaderboard.drawn.markup import escape, table
from leaderboard.drawn.numbers import NONE, number, percent_with_interval
from leaderboard.sequential import Cost, Line, Mean, Table, tables

ABOUT = """\
The sequential predictor, which is not PREDICT, looks at the noise samples of an image as they come, and answers as soon
as they suffice. A vote near the tie makes it stop late: an attack that forces abstention slows it down as well.

- **Samples** is how many it draws on an image, on average over the images, with a 95% bootstrap interval over images.
- **Costliest** is the measured attack that makes it draw the most; the second table of each heading has that of each
  access. Chance makes the highest of several means a little too high. The attacks aimed at PREDICT with the n of the
  table, not at this predictor.
- **Times** is samples under attack over samples of the same images without, on the same noise.
- **Abstains** is this predictor's: it does so where the samples that are left to it cannot suffice. The
  interval is exact, at 95%.
"""


def section(standings: Sequence[Standing], costs: Sequence[Cost]) -> list[str]:
    """The parts of the section; none where no target with a standing was measured."""
    found = tables(standings, costs)
    if not found:
        return []
    return ["## What an answer costs at the sequential predictor", ABOUT, *map(_part, found)]


def title(one: Table) -> str:
    """What a table is called: that of the standings, and the predictor's settings."""
    return f"{availability_tables.title(one.standing)}; predictor: at most {one.most:,} samples, α = {one.level:g}"


def mean(of: Mean, digits: int = 0) -> str:
    """A figure with its interval: "470 [250, 760]"."""
    text = number(of["mean"], digits)
    if of["low"] is None or of["high"] is None:
        return text
    return f"{text} [{number(of['low'], digits)}, {number(of['high'], digits)}]"


def costliest(one: Table, named: Callable[[str], str] = str) -> Grid:
    """What each target costs, clean and under the costliest attack.

    Args:
        named: what becomes of names.
    """
    headers = ["target", "costliest attack", "access", "clean: samples", "clean: abstains"]
    return Grid([*headers, "attacked: samples", "times", "attacked: abstains"], [_line(of, named) for of in one.lines])


def _line(line: Line, named: Callable[[str], str]) -> list[str]:
    worst = line.costliest
    return [
        named(line.target + (f" (without {', '.join(line.missing)})" if line.missing else "")),
        named(worst["attack"]) if worst else NONE,
        named(spoken(worst["access"])) if worst else NONE,
        mean(line.clean["clean_samples"]),
        _rate(line.clean["clean_abstained"]),
        mean(worst["samples"]) if worst else NONE,
        mean(worst["times"], 1) if worst else NONE,
        _rate(worst["abstained"]) if worst else NONE,
    ]


def most_by_access(one: Table, named: Callable[[str], str] = str) -> Grid:
    """The samples under the costliest attack of each access, and its name."""
    headers, lines = ["target", *(named(spoken(access)) for access in one.accesses)], []
    for line in one.lines:
        found = [line.by_access.get(access) for access in one.accesses]
        texts = [f"{number(cost['samples']['mean'])} {named(cost['attack'])}" if cost else NONE for cost in found]
        lines.append([named(line.target), *texts])
    return Grid(headers, lines)


def _rate(of: Rate) -> str:
    return percent_with_interval(of["rate"], of["low"], of["high"])


def _part(one: Table) -> str:
    parts = [f"### {escape(title(one))}", table(*costliest(one, escape), text_columns=3)]
    return "\n\n".join([*parts, *([table(*most_by_access(one, escape), text_columns=1)] if one.accesses else [])])
