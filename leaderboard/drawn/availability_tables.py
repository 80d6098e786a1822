"""The defender's side as a section of the Markdown page: how to read it, the picture, and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from leaderboard.access import ordered, spoken
from leaderboard.availability import ANY, Behind, Rate, Standing
from leaderboard.drawn.markup import escape, table
from leaderboard.drawn.numbers import NONE, p_value, percent, percent_with_interval

ABOUT = """\
Which target keeps answering? All rates of a table are over the same images. **Answered** is the share of images on
which PREDICT does not abstain, **right** the share on which it answers rightly.

- **Strongest** is the lowest rate that one attack reached, of all accesses. Its interval holds for the lowest of all
  these attacks' true rates together (Clopper–Pearson at 1 - 5% / attacks). The rate itself is not corrected: chance
  makes the lowest of several observed rates a little too low.
- **Every** counts an image only if the target answers it (rightly) under every attack of the table, the controls
  included. Targets are ranked by **right, every**: what is left to an attacker who tries all of these attacks on each
  image. It falls with the number of attacks, so compare it within a table only.
- **Certified** is proven for every attack within ε, known or not. *Answered*: 1 - the mean ceiling. *Right*: the mean
  of 1 - ceiling over the images whose certified label is right, and 0 for the others. The bound behind a ceiling holds
  for wrong answers, too: PREDICT answers the certified label with probability at least 1 - ceiling, so α adds no
  error. Both are expectations over PREDICT's noise. They rest on confidence bounds, which hold for all images of a
  target at once with the probability that is said of the ceilings.
- **Behind** is the difference in *right, every* to the first, with a paired 95% bootstrap interval over images and the
  exact McNemar p-value, which is not corrected for the number of targets.
- A target without a rank lacks an attack that others of its table have.
"""


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
        parts += [f"### {escape(title(group[0]))}", _ranking(group), _by_access(group)]
    return parts


def by_table(standings: Sequence[Standing]) -> list[list[Standing]]:
    """The standings by table."""
    return [list(group) for _, group in groupby(standings, key=title)]


def title(standing: Standing) -> str:
    """What a table is called."""
    n, seed = f"n = {standing['n']:,}, α = {standing['alpha']:g}", standing["seed"]
    where = [standing["suite"], standing["data"], f"ε = {standing['epsilon']}", n + (f", seed {seed}" if seed else "")]
    return ", ".join([*where, f"{standing['of_images']:,} images"])


def _ranking(group: Sequence[Standing]) -> str:
    headers = ["#", "target", "clean: answered", "right", "strongest: answered", "right", "every: answered", "right"]
    headers += ["certified: answered", "right", "behind", "p"]
    lines = []
    for one in group:
        under = one["under_attack"][-1]
        lines.append(
            [
                str(one["rank"] or NONE),
                escape(one["target"]) + (f" (without {escape(', '.join(one['missing']))})" if one["missing"] else ""),
                percent(one["clean_answered"]["rate"]),
                percent(one["clean_right"]["rate"]),
                _text(under["answered"]),
                _text(under["right"]),
                percent(under["answered_every"]["rate"]),
                f"**{_text(under['right_every'])}**",
                percent(one["certified_answered"]),
                percent(one["certified_right"]),
                behind(one["behind_first"]),
                p_value(one["behind_first"] and one["behind_first"]["mcnemar_p"]),
            ]
        )
    return table(headers, lines, text_columns=2)


def _by_access(group: Sequence[Standing]) -> str:
    """Answered and right under the strongest attack of each access."""
    accesses = ordered(under["access"] for one in group for under in one["under_attack"] if under["access"] != ANY)
    lines = []
    for one in group:
        found = {under["access"]: under for under in one["under_attack"]}
        cells = []
        for access in accesses:
            under = found.get(access)
            if under is None:
                cells += [NONE, NONE]
            else:
                cells.append(f"{_text(under['answered'])} {escape(under['answered_attack'])}")
                cells.append(f"{percent(under['right']['rate'])}, every {percent(under['right_every']['rate'])}")
        lines.append([escape(one["target"]), *cells])
    headers = ["target"]
    for access in accesses:
        headers += [f"{spoken(access)}: answered", "right"]
    return "By access, the strongest attack of each:\n\n" + table(headers, lines, text_columns=1)


def _text(rate: Rate) -> str:
    return percent_with_interval(rate["rate"], rate["low"], rate["high"], 0)


def behind(first: Behind | None) -> str:
    """How far a target is behind the first, in points, with its interval."""
    if first is None:
        return NONE
    points = f"{100 * first['difference']:.1f}"
    if first["low"] is None or first["high"] is None:
        return points
    return f"{points} [{100 * first['low']:.1f}, {100 * first['high']:.1f}]"
