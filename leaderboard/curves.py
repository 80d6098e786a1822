"""Curves: abstention against ε, and against queries, target by target, from the rows of a board."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from leaderboard.access import CONTROL
from leaderboard.board import at_common_budget, by_strength, is_best_of
from leaderboard.row import Row
from leaderboard.statistics import clopper_pearson


class Point(TypedDict):
    """One row as a point of a curve. Rates in [0, 1]."""

    epsilon: float
    query_budget: int | None  # as in the row: None for no limit, or an access that makes no queries
    queries_mean: float | None  # what was spent of it
    abstention_rate: float
    abstention_low: float  # 95% Clopper–Pearson interval
    abstention_high: float
    share_of_ceiling: float | None


class Curve(TypedDict):
    """One attack, its points by growing ε or query budget."""

    attack: str
    access: str
    points: list[Point]


class Ceiling(TypedDict):
    """An upper bound on the expected abstention rate within ε; it does not depend on queries."""

    epsilon: float
    ceiling: float


class Panel(TypedDict):
    """The curves of one target, all over the same images."""

    suite: str
    target: str
    sigma: float
    n: int
    alpha: float
    seed: int
    epsilon: float | None  # None where ε is what varies
    images: int
    clean_abstention_rate: float
    clean_low: float
    clean_high: float
    ceiling: list[Ceiling]
    curves: list[Curve]  # strongest first, best-of last


def epsilon_panels(rows: Iterable[Row]) -> list[Panel]:
    """Abstention against ε: a panel for each target with two or more ε.

    Each curve is of one query budget, so that only ε varies along it: the budget that the attack has at the most ε, of
    several the largest. It begins at ε = 0, where only the original image can be sent, with the clean rate.
    """
    panels = []
    for group in _grouped(_whole(rows)):
        if len({row["epsilon"] for row in group}) > 1:
            panel = _panel(at_common_budget(group), group, epsilon=None)
            for curve in panel["curves"]:
                curve["points"].insert(0, _origin(panel))
            panels.append(panel)
    return panels


def query_panels(rows: Iterable[Row]) -> list[Panel]:
    """Abstention against the query budget: a panel for each target and ε, of the attacks with two or more budgets.

    Best-of is left out: it spends the sum of its members' budgets.
    """
    panels = []
    limited = (row for row in _whole(rows) if row["query_budget"] is not None and not is_best_of(row["attack"]))
    for group in _grouped(limited, "epsilon"):
        several = {name for name in by_strength(group) if sum(row["attack"] == name for row in group) > 1}
        group = [row for row in group if row["attack"] in several]
        if group:
            panels.append(_panel(group, group, epsilon=group[0]["epsilon"]))
    return panels


def emphasised(panel: Panel) -> list[Curve]:
    """The best curve of each access but the controls': best-of, else the one with the highest mean rate.

    Only curves with the most points compete, so that no attack wins by what it left out.
    """

    def quality(curve: Curve) -> tuple[int, bool, float]:
        rates = [point["abstention_rate"] for point in curve["points"]]
        return len(rates), is_best_of(curve["attack"]), sum(rates) / len(rates)

    best: dict[str, Curve] = {}
    for curve in panel["curves"]:
        held = best.get(curve["access"])
        if curve["access"] != CONTROL and (held is None or quality(curve) > quality(held)):
            best[curve["access"]] = curve
    return list(best.values())


def telling(panels: Sequence[Panel]) -> list[Panel]:
    """The panels that a picture shows: all targets of the suite, n, alpha, seed and images with the most points."""
    groups: dict[tuple[Any, ...], list[Panel]] = defaultdict(list)
    for panel in panels:
        groups[panel["suite"], panel["n"], panel["alpha"], panel["seed"], panel["images"]].append(panel)

    def richness(key: tuple[Any, ...]) -> tuple[int, int, int]:
        points = [point for panel in groups[key] for curve in panel["curves"] for point in curve["points"]]
        places = {(point["epsilon"], point["query_budget"]) for point in points}
        return len(places), len(points), panels[0]["suite"] == key[0]

    return groups[max(groups, key=richness)] if groups else []


def _whole(rows: Iterable[Row]) -> list[Row]:
    """The rows over all images. On fewer, a curve would move with the images that are missing."""
    return [row for row in rows if row["status"] == "ok"]


def _grouped(rows: Iterable[Row], *names: str) -> list[list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        key = (row["suite"], row["n"], row["alpha"], row["seed"], row["of_images"], row["sigma"], row["target"])
        groups[*key, *(dict(row)[name] for name in names)].append(row)
    return [groups[key] for key in sorted(groups)]


def _panel(rows: Sequence[Row], proofs: Sequence[Row], epsilon: float | None) -> Panel:
    """The panel of ``rows``, with the ceilings of ``proofs``, rows of the same target."""
    first = rows[0]
    clean, images = first["clean_abstention_rate"] or 0.0, first["images"]
    low, high = clopper_pearson(round(clean * images), images)
    # The ceiling depends on the images, not on the attack, so any row would do; the board takes the first.
    ceilings = {row["epsilon"]: row["ceiling"] for row in reversed(proofs) if row["ceiling"] is not None}
    curves = [_curve([row for row in rows if row["attack"] == attack]) for attack in by_strength(rows)]
    return Panel(
        suite=first["suite"],
        target=first["target"],
        sigma=first["sigma"],
        n=first["n"],
        alpha=first["alpha"],
        seed=first["seed"],
        epsilon=epsilon,
        images=images,
        clean_abstention_rate=clean,
        clean_low=low,
        clean_high=high,
        ceiling=[Ceiling(epsilon=value, ceiling=ceilings[value]) for value in sorted(ceilings)],
        curves=curves,
    )


def _curve(rows: Sequence[Row]) -> Curve:
    points = [
        Point(
            epsilon=row["epsilon"],
            query_budget=row["query_budget"],
            queries_mean=row["queries_mean"],
            abstention_rate=row["abstention_rate"] or 0.0,
            abstention_low=row["abstention_low"] or 0.0,
            abstention_high=row["abstention_high"] or 0.0,
            share_of_ceiling=row["share_of_ceiling"],
        )
        for row in sorted(rows, key=lambda row: (row["epsilon"], row["query_budget"] or 0))
    ]
    return Curve(attack=rows[0]["attack"], access=rows[0]["access"], points=points)


def _origin(panel: Panel) -> Point:
    return Point(
        epsilon=0.0,
        query_budget=None,
        queries_mean=0.0,
        abstention_rate=panel["clean_abstention_rate"],
        abstention_low=panel["clean_low"],
        abstention_high=panel["clean_high"],
        share_of_ceiling=None,
    )
