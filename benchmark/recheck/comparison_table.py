"""A comparison as a table for the terminal, and as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.recheck.comparison import Line, Table
from leaderboard.stored.source import LANDED_FOR


def text(table: Table) -> str:
    """The table for the terminal, a block for each suite and PREDICT's settings."""
    from tabulate import tabulate

    groups: dict[str, list[Line]] = defaultdict(list)
    for line in table.lines:
        groups[_conditions(line.settings)].append(line)
    of_folders = "attack" in table.lines[0].settings
    headers = [*(["attack"] if of_folders else []), "target", "ε", "images", "A", "B", "B - A in points [95%]"]
    headers += ["A alone", "B alone", "p", "p (Holm)", ""]
    align = [*["left"] * of_folders, "left", *["right"] * 9, "left"]
    first = table.lines[0]
    blocks = [f"A: {first.a}\nB: {first.b}"]
    for title, lines in groups.items():
        cells = [_cells(line, of_folders) for line in lines]
        grid = tabulate(cells, headers, tablefmt="simple", disable_numparse=True, colalign=align)
        blocks.append(f"{title}\n{grid}")
    count = len(table.lines)
    blocks.append(
        "Abstention rates on the images that both have. Interval: Newcombe's method 10. p: McNemar's exact test, and\n"
        f"adjusted by Holm for the {count} comparison{'s' * (count != 1)} of this table."
    )
    for name, alone in (("A", table.only_a), ("B", table.only_b)):
        if alone:
            more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
            blocks.append(f"Of {name} alone: {'; '.join(alone[:3])}{more}.")
    return "\n\n".join(blocks)


def _conditions(settings: Mapping[str, Any]) -> str:
    words = f"{settings['suite']} · n = {settings['n']:,}, α = {settings['alpha']:g}, seed {settings['seed']}"
    known = settings[LANDED_FOR]
    if known is None:
        return words
    return f"{words} · landed for n = {known['n']:,}, α = {known['alpha']:g}, seed {known['seed']}"


def _cells(line: Line, of_folders: bool) -> list[str]:
    counts, settings = line.counts, line.settings
    low, high = counts.interval()
    budget = settings.get("query_budget")
    attack = f"{settings['attack']} (≤ {budget:,})" if budget else settings.get("attack", "")
    return [
        *([attack] if of_folders else []),
        settings["target"],
        f"{settings['epsilon']:g}",
        f"{counts.images:,}",
        f"{counts.rate_a:.1%}",
        f"{counts.rate_b:.1%}",
        f"{100 * counts.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]",
        f"{counts.only_a:,}",
        f"{counts.only_b:,}",
        f"{counts.p:.2g}",
        f"{line.adjusted:.2g}",
        ", ".join(line.notes),
    ]


def as_json(lines: Sequence[Line], below: float | None) -> list[dict[str, Any]]:
    """The lines for programs; rates and differences in [-1, 1]."""
    result = []
    for line in lines:
        low, high = line.counts.interval()
        result.append(
            {
                **line.settings,
                "a": line.a,
                "b": line.b,
                "images": line.counts.images,
                "rate_a": line.counts.rate_a,
                "rate_b": line.counts.rate_b,
                "difference": line.counts.difference,
                "difference_low": low,
                "difference_high": high,
                "only_a": line.counts.only_a,
                "only_b": line.counts.only_b,
                "p": line.counts.p,
                "p_holm": line.adjusted,
                "notes": list(line.notes),
                **({} if below is None else {"fails": line.is_worse(below)}),
            }
        )
    return result
