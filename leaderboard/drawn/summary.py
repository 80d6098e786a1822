"""The summary of the page: attacks by targets, and the mean share of the ceiling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from leaderboard.board import by_strength, fullest, is_best_of
from leaderboard.drawn.groups import conditions, image_set
from leaderboard.drawn.markup import escape, table
from leaderboard.drawn.numbers import NONE, percent
from leaderboard.drawn.reading import MEAN_SHARES
from leaderboard.row import Row
from leaderboard.sources import mark


def summary(rows: Sequence[Row]) -> str:
    """The abstention rate of every attack on every target, of rows of one ε and one budget an attack."""
    targets = list(dict.fromkeys(row["target"] for row in rows))
    cells = {(row["attack"], row["target"]): row for row in rows}
    competing = [row for row in rows if row["status"] == "ok" and not is_best_of(row["attack"])]
    best: dict[str, float] = defaultdict(float)
    for row in competing:
        best[row["target"]] = max(best[row["target"]], row["abstention_rate"] or 0)

    def text(attack: str, target: str) -> str:
        row = cells.get((attack, target))
        if row is None or row["abstention_rate"] is None:
            return "failed" if row else NONE
        rate = percent(row["abstention_rate"]) + ("\\*" if row["status"] == "partial" else "")
        is_best = row["abstention_rate"] == best[target] > 0
        return f"**{rate}**" if is_best and row in competing else rate

    attacks = by_strength(rows)
    names = {attack: f"*{escape(attack)}*" if is_best_of(attack) else escape(attack) for attack in attacks}
    for attack in attacks:
        names[attack] += mark(row for row in rows if row["attack"] == attack)
    lines = [[names[attack], *(text(attack, target) for target in targets)] for attack in attacks]
    shared = [fullest(row for row in rows if row["target"] == target) for target in targets]
    ceilings = [percent(row and row["ceiling"]) + (" (vacuous)" if row and row["vacuous"] else "") for row in shared]
    lines.append(["*certified ceiling*", *(f"*{ceiling}*" for ceiling in ceilings)])
    return table(["attack", *map(escape, targets)], lines, text_columns=1)


def mean_shares(rows: Sequence[Row]) -> str:
    """The mean share of the ceiling of the attacks that were run on every target at every ε, the highest first.

    Means are over the targets and ε with a ceiling below 100% on some image. Elsewhere nothing is proven, and a share
    would be the rate itself.
    """
    everywhere = {(row["target"], row["epsilon"]) for row in rows}
    vacuous = {(row["target"], row["epsilon"]) for row in rows if row["vacuous"]}
    places = everywhere - vacuous
    if len(places) < 2:
        return ""
    rows = [row for row in rows if (row["target"], row["epsilon"]) in places]
    shares: dict[str, dict[tuple[str, float], float]] = {}
    for row in rows:
        if row["status"] == "ok" and row["share_of_ceiling"] is not None:
            shares.setdefault(row["attack"], {})[row["target"], row["epsilon"]] = row["share_of_ceiling"]
    whole = {attack: found for attack, found in shares.items() if len(found) == len(places)}
    if not whole:
        return ""
    epsilons = sorted({epsilon for _, epsilon in places})

    def mean(attack: str, epsilon: float | None = None) -> float:
        return fmean(share for (_, at), share in whole[attack].items() if epsilon in (None, at))

    lines = [
        [escape(attack), *(percent(mean(attack, epsilon)) for epsilon in epsilons), percent(mean(attack))]
        for attack in sorted(whole, key=mean, reverse=True)
    ]
    text = (
        f"### {escape(rows[0]['suite'])}, share of the ceiling, {escape(conditions(rows[0]))}, {image_set(rows[0])}\n\n"
    )
    text += f"{MEAN_SHARES} {_left_out(len(vacuous), len(everywhere))}".strip() + "\n\n"
    headers = ["attack", *(f"ε = {epsilon}" for epsilon in epsilons), "mean"]
    return text + table(headers, lines, text_columns=1)


def _left_out(vacuous: int, everywhere: int) -> str:
    if not vacuous:
        return ""
    return (
        f"{vacuous} of {everywhere} combinations of target and ε are left out as vacuous: the ceiling is 100% on every "
        "image."
    )
