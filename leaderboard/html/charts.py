"""Curves over ε, queries and n, with the coordinates that the page draws them at."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboard.board import by_strength, is_best_of
from leaderboard.curves import Panel, emphasised
from leaderboard.curves import Point as CurvePoint
from leaderboard.drawn.groups import conditions
from leaderboard.drawn.numbers import percent, percent_with_interval
from leaderboard.row import Row

WIDTH, HEIGHT = 380, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 22, 10, 34
"""Of a chart and its margins, in the units of its SVG."""


@dataclass(frozen=True)
class Point:
    """A place on a curve, and the rate there in words."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Series:
    """A curve; `cells` has a text for each tick of the axis. `is_strong`: drawn with weight and named below."""

    name: str
    access: str
    is_strong: bool
    points: list[Point]
    cells: list[str]

    @property
    def path(self) -> str:
        """Its points as an SVG polyline has them."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


@dataclass(frozen=True)
class Chart:
    """One target's curves."""

    title: str
    note: str
    axis: str
    ticks: list[tuple[float, str]]
    clean: list[Point]
    ceiling: list[Point]
    series: list[Series]

    @property
    def shared(self) -> list[tuple[str, list[str]]]:
        """The clean rate and the ceiling, a text a tick, for the table behind the picture."""
        found = []
        for name, points in (("unattacked", self.clean), ("ceiling", self.ceiling)):
            texts = {round(point.x, 1): point.text for point in points}
            constant = points[0].text if points and len({point.text for point in points}) == 1 else "—"
            found.append((name, [texts.get(round(x, 1), constant) for x, _ in self.ticks]))
        return found

    @property
    def beyond(self) -> str:
        """The region above the ceiling, as an SVG polygon has it; empty without a ceiling."""
        if not self.ceiling:
            return ""
        edge = [(point.x, point.y) for point in self.ceiling]
        corners = [*edge, (edge[-1][0], TOP), (edge[0][0], TOP)]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def over_epsilon(panels: Iterable[Panel]) -> list[Chart]:
    """A chart a target."""
    return [_of_panel(panel, lambda point: point["epsilon"], "ε", _linear) for panel in panels]


def over_queries(panels: Iterable[Panel]) -> list[Chart]:
    """A chart a target and ε, over the logarithm of the query budget."""
    axis = "queries an image, at most"
    return [_of_panel(panel, lambda point: point["query_budget"], axis, _logarithmic) for panel in panels]


def over_n(rows: Iterable[Row]) -> list[Chart]:
    """A chart a target and ε at which an attack has two or more n, over the logarithm of n. Rows over all images."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row["status"] == "ok":
            key = ("suite", "sigma", "target", "alpha", "seed", "of_images", "epsilon")
            groups[tuple(dict(row)[name] for name in key)].append(row)
    charts = []
    for key in sorted(groups):
        curves = _several(groups[key])
        if curves:
            charts.append(_of_rows([row for curve in curves.values() for row in curve], curves))
    return charts


def _several(rows: Sequence[Row]) -> dict[tuple[str, int | None], list[Row]]:
    """By attack and query budget, the rows of those with two or more n, the strongest attack first."""
    found: dict[tuple[str, int | None], list[Row]] = defaultdict(list)
    for attack in by_strength(rows):
        for row in rows:
            if row["attack"] == attack:
                found[attack, row["query_budget"]].append(row)
    return {key: own for key, own in found.items() if len({row["n"] for row in own}) > 1}


def _of_rows(rows: Sequence[Row], curves: dict[tuple[str, int | None], list[Row]]) -> Chart:
    values = sorted({row["n"] for row in rows})
    place = _logarithmic(values)
    series = []
    for (attack, budget), own in curves.items():
        name = attack if budget is None else f"{attack} (≤ {budget:,} queries)"
        points = [(row["n"], row["abstention_rate"] or 0.0, _rate(dict(row))) for row in own]
        series.append(_series(name, own[0]["access"], not is_best_of(attack), points, values, place))
    by_n = {row["n"]: row for row in rows}
    first = rows[0]
    return Chart(
        title=f"{first['target']}, ε = {first['epsilon']:g}",
        note=f"{first['suite']}, α = {first['alpha']:g}, {first['of_images']:,} images",
        axis="n, noise samples of PREDICT",
        ticks=_ticks(values, place),
        clean=_line([(n, by_n[n]["clean_abstention_rate"]) for n in values], place),
        ceiling=_line([(n, by_n[n]["ceiling"]) for n in values], place),
        series=series,
    )


def _of_panel(
    panel: Panel,
    place_of: Callable[[CurvePoint], float | None],
    axis: str,
    scale: Callable[[Sequence[float]], Callable[[float], float]],
) -> Chart:
    """The chart of a panel: `place_of` a point is where it stands on the axis, None where it has no place there."""
    every = [place_of(point) for curve in panel["curves"] for point in curve["points"]]
    values = sorted({value for value in every if value is not None})
    place = scale(values)
    strong = [curve["attack"] for curve in emphasised(panel)]
    series = []
    for curve in panel["curves"]:
        points = [
            (value, point["abstention_rate"], _rate(dict(point)))
            for point in curve["points"]
            if (value := place_of(point)) is not None
        ]
        series.append(_series(curve["attack"], curve["access"], curve["attack"] in strong, points, values, place))
    ends = [values[0], values[-1]]
    ceiling: list[tuple[float, float | None]] = [
        (value, proof["ceiling"])
        for proof in panel["ceiling"]
        for value in ([proof["epsilon"]] if panel["epsilon"] is None else ends)
    ]
    return Chart(
        title=panel["target"] + ("" if panel["epsilon"] is None else f", ε = {panel['epsilon']:g}"),
        note=f"{panel['suite']}, {conditions(panel)}, {panel['images']:,} images",
        axis=axis,
        ticks=_ticks(values, place),
        clean=_line([(end, panel["clean_abstention_rate"]) for end in ends], place),
        ceiling=_line(ceiling, place),
        series=series,
    )


def _series(
    name: str,
    access: str,
    is_strong: bool,
    points: Sequence[tuple[float, float, str]],
    values: Sequence[float],
    place: Callable[[float], float],
) -> Series:
    texts = {value: text for value, _, text in points}
    drawn = [Point(place(value), _height(rate), text) for value, rate, text in sorted(points)]
    return Series(name, access, is_strong, drawn, [texts.get(value, "—") for value in values])


def _line(points: Sequence[tuple[float, float | None]], place: Callable[[float], float]) -> list[Point]:
    return [Point(place(value), _height(rate), percent(rate)) for value, rate in points if rate is not None]


def _rate(of: dict[str, Any]) -> str:
    return percent_with_interval(of["abstention_rate"], of["abstention_low"], of["abstention_high"])


def _height(rate: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - rate)


def _ticks(values: Sequence[float], place: Callable[[float], float]) -> list[tuple[float, str]]:
    return [(place(value), f"{value:,.6g}") for value in values]


def _linear(values: Sequence[float]) -> Callable[[float], float]:
    return lambda value: LEFT + (WIDTH - LEFT - RIGHT) * (value / values[-1] if values[-1] else 0.0)


def _logarithmic(values: Sequence[float]) -> Callable[[float], float]:
    low = math.log(max(values[0], 1))
    extent = math.log(max(values[-1], 1)) - low or 1.0
    return lambda value: LEFT + (WIDTH - LEFT - RIGHT) * (math.log(max(value, 1)) - low) / extent
