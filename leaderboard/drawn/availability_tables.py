"""The defender's side as a section of the Markdown page: how to read it, the picture, and its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

from leaderboard.access import spoken
from leaderboard.availability import ANY, Behind, Rate, Standing
from leaderboard.drawn.markup import escape, table
from leaderboard.drawn.numbers import NONE, p_value, percent, percent_with_interval

ABOUT = """\
Which target keeps answering? All rates of a table are over the same images. **Answered** is the share of images on
which PREDICT does not abstain, **right** the share on which it answers rightly. Intervals are at 95%, and exact
(Clopper–Pearson).

- **Every attack** counts an image only if the target answers it (rightly) under every attack of the table, the controls
  included. Targets are ranked by **every attack: right**: what is left to an attacker who tries all of these attacks on
  each image. It falls with the number of attacks, so compare it within a table only.
- **Certified** is proven for every attack within ε, known or not. *Answered*: 1 - the mean ceiling. *Right*: the mean
  of 1 - ceiling over the images whose certified label is right, and 0 for the others. The bound behind a ceiling holds
  for wrong answers, too: PREDICT answers the certified label with probability at least 1 - ceiling, so α adds no
  error. Both are expectations over PREDICT's noise, and lower bounds already, so they have no interval. They rest on
  confidence bounds, which hold for all images of a target at once with the probability that is said of the ceilings.
- **Behind** is the difference in *every attack: right* to the first, with a paired 95% bootstrap interval over images
  and the exact McNemar p-value, which is not corrected for the number of targets.
- A target without a rank lacks an attack that others of its table have.

The second table of each heading takes the attacks of one access at a time, and *all* of them together.

- **Strongest against answers** is the single attack that left the fewest answers, **strongest against right answers**
  the one that left the fewest right ones; it may be another. The rate beside it is what it left. Its interval holds for
  the lowest of all these attacks' true rates together (each at 1 - 5% / attacks). The rate itself is not corrected:
  chance makes the lowest of several observed rates a little too low.
- Where it says *none beats the controls*, no attack of this access does more than sending the original image (`clean`)
  or a random direction (`gaussian`). Anyone can send these, so they are among the attacks of each access, and the rate
  is theirs.
- **Each: answered, right** counts an image only if the target answers it (rightly) under each attack of this access.
"""

NONE_BEATS = "none beats the controls"
"""Stands for the strongest attack where it is a control."""


class Grid(NamedTuple):
    """A table as text. The first two columns are names."""

    headers: list[str]
    lines: list[list[str]]


def section(standings: Sequence[Standing], picture: str | None) -> list[str]:
    """The parts of the section, with a ranking a table; none without standings.

    Args:
        picture: its address; None without a picture.
    """
    tables = by_table(standings)
    if not tables:
        return []
    parts = ["## Who keeps answering", ABOUT]
    if picture:
        parts.append(f"![Right answers against answers of every target: clean, under attack, certified]({picture})")
    for group in tables:
        grids = ranking(group, escape), by_access(group, escape)
        parts += [f"### {escape(title(group[0]))}", *(table(*grid, text_columns=2) for grid in grids)]
    return parts


def by_table(standings: Sequence[Standing]) -> list[list[Standing]]:
    """The standings by table."""
    return [list(group) for _, group in groupby(standings, key=title)]


def title(standing: Standing) -> str:
    """What a table is called. The data set is named where the suite is not called like it."""
    names = dict.fromkeys((standing["suite"], standing["data"]))
    return ", ".join([*names, *conditions(standing)])


def conditions(standing: Standing) -> list[str]:
    """ε, n and α, images."""
    n, seed = f"n = {standing['n']:,}, α = {standing['alpha']:g}", standing["seed"]
    return [
        f"ε = {standing['epsilon']}",
        n + (f", seed {seed}" if seed else ""),
        f"{standing['of_images']:,} images",
    ]


def ranking(group: Sequence[Standing], named: Callable[[str], str] = str) -> Grid:
    """The targets of a table by rank.

    Args:
        named: what becomes of names.
    """
    headers = ["#", "target", "clean: answered", "clean: right", "every attack: answered", "every attack: right"]
    headers += ["certified: answered", "certified: right", "behind", "p"]
    lines = []
    for one in group:
        under = one["under_attack"][-1]
        lines.append(
            [
                str(one["rank"] or NONE),
                named(one["target"] + (f" (without {', '.join(one['missing'])})" if one["missing"] else "")),
                _text(one["clean_answered"]),
                _text(one["clean_right"]),
                _text(under["answered_every"]),
                _text(under["right_every"]),
                percent(one["certified_answered"]),
                percent(one["certified_right"]),
                _behind(one["behind_first"]),
                p_value(one["behind_first"] and one["behind_first"]["mcnemar_p"]),
            ]
        )
    return Grid(headers, lines)


def by_access(group: Sequence[Standing], named: Callable[[str], str] = str) -> Grid:
    """What the attacks of each access leave, of targets and names as in `ranking`."""
    headers = ["target", "access", "attacks", "strongest against answers", "answered"]
    headers += ["strongest against right answers", "right", "each: answered", "each: right"]
    lines = [
        [
            named(one["target"]),
            named(everyone(under["access"])),
            str(under["attacks"]),
            named(under["answered_attack"] or NONE_BEATS),
            _text(under["answered"]),
            named(under["right_attack"] or NONE_BEATS),
            _text(under["right"]),
            _text(under["answered_every"]),
            _text(under["right_every"]),
        ]
        for one in group
        for under in one["under_attack"]
    ]
    return Grid(headers, lines)


def everyone(access: str) -> str:
    """What tables call an access, or all of them together."""
    return "all" if access == ANY else spoken(access)


def _text(rate: Rate) -> str:
    return percent_with_interval(rate["rate"], rate["low"], rate["high"])


def _behind(first: Behind | None) -> str:
    """How far a target is behind the first, in points, with its interval."""
    if first is None:
        return NONE
    points = f"{100 * first['difference']:.1f}"
    if first["low"] is None or first["high"] is None:
        return points
    return f"{points} [{100 * first['low']:.1f}, {100 * first['high']:.1f}]"
