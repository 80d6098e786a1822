"""What one target keeps answering, for the terminal: a table of its standing at one ε and n."""

from __future__ import annotations

from leaderboard.availability import Rate, Standing
from leaderboard.drawn.availability_tables import NONE_BEATS, conditions, everyone
from leaderboard.drawn.numbers import percent, percent_with_interval


def standing_text(one: Standing) -> str:
    """Answers and right answers: clean, under the strongest attack of each access, under every attack, certified."""
    from tabulate import tabulate

    lines = [["clean", _text(one["clean_answered"]), "", _text(one["clean_right"]), ""]]
    for under in one["under_attack"]:
        name = f"strongest of {everyone(under['access'])}"
        answered, right = under["answered_attack"] or NONE_BEATS, under["right_attack"] or NONE_BEATS
        lines.append([name, _text(under["answered"]), answered, _text(under["right"]), right])
    under = one["under_attack"][-1]
    lines.append(["every attack", _text(under["answered_every"]), "", _text(under["right_every"]), ""])
    lines.append(["certified at least", percent(one["certified_answered"]), "", percent(one["certified_right"]), ""])
    headers = ["", "answered [95% CI]", "by", "right [95% CI]", "by"]
    align = ["left", "right", "left", "right", "left"]
    table = tabulate(lines, headers, tablefmt="simple", disable_numparse=True, colalign=align)
    return f"{one['target']} keeps answering · {' · '.join(conditions(one))}\n{table}"


def _text(rate: Rate) -> str:
    return percent_with_interval(rate["rate"], rate["low"], rate["high"])
