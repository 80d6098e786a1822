"""The board as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.board import at_largest_budget
from leaderboard.checks.finding import limited
from leaderboard.drawn.groups import conditions, grouped, image_set
from leaderboard.drawn.numbers import interval, number, percent
from leaderboard.row import Row
from leaderboard.sources import legend, mark


def terminal(rows: Sequence[Row]) -> str:
    """The board as text, one table for each target and ε of the largest query budgets, failures below it."""
    from tabulate import tabulate

    headers = ["#", "attack", "access", "abstain [95% CI]", "clean", "ceiling", "share", "accuracy", "valid"]
    headers += ["ℓ2", "queries", "s/img"]
    blocks = []
    for group in grouped(rows, "suite", "target", "n", "alpha", "seed", "of_images", "epsilon"):
        first = group[0]
        lines = [f"{first['target']} · ε = {first['epsilon']} · {conditions(first)} · {image_set(first)}"]
        table = [
            [
                row["rank"] or "",
                row["attack"] + mark([row]),
                row["access"],
                interval(row),
                percent(row["clean_abstention_rate"]),
                percent(row["ceiling"]),
                "vacuous" if row["vacuous"] else percent(row["share_of_ceiling"]),
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
                lines.append(f"{limited(row)} failed: {row['error']}")
            elif row["status"] == "partial":
                lines.append(f"{limited(row)} is partial: {row['images']:,} of {row['of_images']:,} images")
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, *(["\n".join(legend(rows))] if legend(rows) else [])])
