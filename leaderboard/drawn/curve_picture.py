"""Curves as a picture: one panel a target (and ε), in SVG without dependencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leaderboard.access import CONTROL, DECISION, HYBRID, SCORE, TRANSFER, WHITE_BOX, ordered, spoken
from leaderboard.curves import Curve, Panel, Point, emphasised, telling
from leaderboard.drawn import drawing
from leaderboard.drawn.drawing import BEYOND, MARGIN, WIDTH, line, polygon, polyline, rect, short, text
from leaderboard.drawn.groups import conditions
from leaderboard.drawn.labels import apart
from leaderboard.drawn.numbers import percent

_TOP, _HEAD, _PLOT, _FOOT, _LEGEND = 88, 44, 190, 52, 66
_AXIS, _GAP = 34, 22  # widths: left of a panel's plot, between panels
_CHARACTER = 6.1  # width of a letter of a label
_CURVE, _THIN = 2.2, 1.1

MARKERS = {
    WHITE_BOX: [(math.cos(0.3927 * i) * 3.4, math.sin(0.3927 * i) * 3.4) for i in range(16)],
    SCORE: [(-3.1, -3.1), (3.1, -3.1), (3.1, 3.1), (-3.1, 3.1)],
    DECISION: [(-3.9, 3.1), (0, -3.9), (3.9, 3.1)],
    TRANSFER: [(-3.9, -3.1), (0, 3.9), (3.9, -3.1)],
    HYBRID: [(-4.3, 0), (0, -4.3), (4.3, 0), (0, 4.3)],
}
"""By access, a shape beside its colour, so that no curve is told by colour alone. The controls have none."""


def epsilon_svg(panels: Sequence[Panel]) -> str:
    """Abstention against ε; at least one of `epsilon_panels`."""
    shown = telling(panels)
    largest = max(point["epsilon"] for panel in shown for curve in panel["curves"] for point in curve["points"])
    axis = _Axis(
        lambda point: point["epsilon"] / largest,
        sorted({point["epsilon"] for panel in shown for curve in panel["curves"] for point in curve["points"]}),
        lambda epsilon: epsilon / largest,
        "ε",
    )
    return _svg(shown, axis, "Abstention against ε", 2)


def query_svg(panels: Sequence[Panel]) -> str:
    """Abstention against the query budget, on a logarithmic scale; at least one of `query_panels`."""
    shown = telling(panels)
    budgets = sorted({point["query_budget"] or 1 for p in shown for curve in p["curves"] for point in curve["points"]})
    low, high = math.log(budgets[0]), math.log(budgets[-1])

    def place(budget: float) -> float:
        return (math.log(budget) - low) / (high - low)

    axis = _Axis(lambda point: place(point["query_budget"] or 1), budgets, place, "queries an image, at most")
    return _svg(shown, axis, "Abstention against queries", 2 if len(shown) < 5 else 3)


@dataclass(frozen=True)
class _Axis:
    """What runs from left (0) to right (1)."""

    place: Callable[[Point], float]
    ticks: Sequence[float]
    position: Callable[[float], float]  # of a tick
    name: str


@dataclass(frozen=True)
class _Plot:
    """Where one panel's curves are drawn: its left and top, its width, and room for labels right of it."""

    x: float
    y: float
    width: float
    labels: float

    def at(self, place: float, rate: float) -> tuple[float, float]:
        return self.x + self.width * place, self.y + _PLOT * (1 - rate)

    def points(self, axis: _Axis, curve: Curve) -> list[tuple[float, float]]:
        return [self.at(axis.place(point), point["abstention_rate"]) for point in curve["points"]]


def _svg(panels: Sequence[Panel], axis: _Axis, what: str, most_columns: int) -> str:
    first = panels[0]
    columns = min(most_columns, len(panels))
    panel_height = _HEAD + _PLOT + _FOOT
    height = _TOP + panel_height * -(-len(panels) // columns) + _LEGEND
    width = (WIDTH - 2 * MARGIN - _GAP * (columns - 1)) / columns
    labels = 160 if columns < 3 else 138
    parts: list[str] = []
    for index, panel in enumerate(panels):
        x = MARGIN + _AXIS + index % columns * (width + _GAP)
        y = _TOP + _HEAD + index // columns * panel_height
        parts += _panel(_Plot(x, y, width - _AXIS - labels, labels), axis, panel)
    parts += _legend(panels, height - _LEGEND + 20)
    images = drawing.images_seen(panel["images"] for panel in panels)
    seen = f"Share of {images} evaluation images on which the smoothed classifier abstains"
    return drawing.document(height, f"{what} ({conditions(first)})", seen, parts)


def _panel(plot: _Plot, axis: _Axis, panel: Panel) -> list[str]:
    at = "" if panel["epsilon"] is None else f", ε = {panel['epsilon']}"
    clean = panel["clean_abstention_rate"]
    note = f"clean {percent(clean)}"
    if panel["epsilon"] is not None and panel["ceiling"]:
        note += f" · ceiling {percent(panel['ceiling'][0]['ceiling'])}"
    left = plot.x - _AXIS
    parts = [text(left, plot.y - 28, panel["target"] + at, "panel"), text(left, plot.y - 11, note, "note")]
    parts += _frame(plot, axis)
    parts += _excluded(plot, axis, panel)
    best = emphasised(panel)
    for curve in reversed(panel["curves"]):
        if curve not in best:
            parts.append(polyline(plot.points(axis, curve), _stroke(curve, _THIN, 0.9 if _is_control(curve) else 0.5)))
    parts.append(line(*plot.at(0, clean), *plot.at(1, clean), "clean"))
    parts += [_band(plot, axis, curve) for curve in best]
    parts += _ceiling(plot, axis, panel)
    for curve in reversed(best):
        points = plot.points(axis, curve)
        parts.append(polyline(points, _stroke(curve, _CURVE, 1)))
        parts += [_marker(x, y, curve["access"]) for x, y in points]
    return parts + _labels(plot, axis, best)


def _frame(plot: _Plot, axis: _Axis) -> list[str]:
    parts = []
    for rate in (0.0, 0.25, 0.5, 0.75, 1.0):
        (left, y), (right, _) = plot.at(0, rate), plot.at(1, rate)
        parts.append(line(left, y, right, y, "grid"))
        if rate in (0.0, 0.5, 1.0):
            parts.append(text(left - 6, y + 3.5, f"{rate:.0%}", "level"))
    last = -math.inf
    for tick in axis.ticks:
        x, bottom = plot.at(axis.position(tick), 0)
        parts.append(line(x, bottom, x, bottom + 4, "grid"))
        if x - last > 24:
            parts.append(text(x, bottom + 16, f"{tick:g}", "tick"))
            last = x
    parts.append(text(plot.x + plot.width / 2, plot.y + _PLOT + 31, axis.name, "tick"))
    return parts


def _excluded(plot: _Plot, axis: _Axis, panel: Panel) -> list[str]:
    """What the certificate excludes: above each proven ceiling, as far left as the one before; it holds for less ε."""
    parts = []
    left = 0.0
    for proof in panel["ceiling"]:
        right = axis.position(proof["epsilon"]) if panel["epsilon"] is None else 1.0
        (x, y), (end, _) = plot.at(left, proof["ceiling"]), plot.at(right, proof["ceiling"])
        if y > plot.y:
            parts.append(rect(x, plot.y, end - x, y - plot.y, BEYOND))
        left = right
    return parts


def _ceiling(plot: _Plot, axis: _Axis, panel: Panel) -> list[str]:
    """A line through the proven ceilings, a point at each; level where ε is fixed."""
    if panel["epsilon"] is not None:
        return [
            line(*plot.at(0, proof["ceiling"]), *plot.at(1, proof["ceiling"]), "ceiling") for proof in panel["ceiling"]
        ]
    points = [plot.at(axis.position(proof["epsilon"]), proof["ceiling"]) for proof in panel["ceiling"]]
    dots = [rect(x - 2, y - 2, 4, 4, drawing.CEILING) for x, y in points]
    return [polyline(points, 'class="ceiling"'), *dots]


def _band(plot: _Plot, axis: _Axis, curve: Curve) -> str:
    """The 95% intervals of a curve, as an area."""
    low = [plot.at(axis.place(point), point["abstention_low"]) for point in curve["points"]]
    high = [plot.at(axis.place(point), point["abstention_high"]) for point in curve["points"]]
    return polygon([*high, *reversed(low)], f'fill="{drawing.colour(curve["access"])}" opacity="0.11"')


def _labels(plot: _Plot, axis: _Axis, curves: Sequence[Curve]) -> list[str]:
    """Each curve's name and last rate, right of its end, apart from each other."""
    ends = sorted((plot.points(axis, curve)[-1], curve["attack"], curve) for curve in curves)
    ends.sort(key=lambda end: (end[0][1], end[1]))
    heights = apart([y for (_, y), _, _ in ends], plot.y, plot.y + _PLOT)
    longest = int((plot.labels - 18 + _GAP * 2 / 3) / _CHARACTER) - len("100% ")
    start = plot.x + plot.width
    parts = []
    for ((x, y), attack, curve), height in zip(ends, heights, strict=True):
        parts.append(
            polyline([(x + 5, y), (start + 6, y), (start + 12, height), (start + 15, height)], 'class="leader"')
        )
        rate = f"{curve['points'][-1]['abstention_rate']:.0%}"
        parts.append(text(start + 18, height + 4, f"{rate} {short(attack, longest)}", "label"))
    return parts


def _is_control(curve: Curve) -> bool:
    return curve["access"] == CONTROL


def _stroke(curve: Curve, width: float, opacity: float) -> str:
    colour = drawing.colour(curve["access"])
    return f'fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round" opacity="{opacity}"'


def _marker(x: float, y: float, access: str) -> str:
    shape = MARKERS.get(access, MARKERS[WHITE_BOX])
    colour = drawing.colour(access)
    return polygon([(x + dx, y + dy) for dx, dy in shape], f'fill="{colour}" stroke="#ffffff" stroke-width="0.8"')


def _legend(panels: Sequence[Panel], y: float) -> list[str]:
    accesses = ordered(curve["access"] for panel in panels for curve in panel["curves"])
    x = float(MARGIN)
    parts = []
    for access in accesses:
        stroke = f'stroke="{drawing.colour(access)}" stroke-width="{_THIN if access == CONTROL else _CURVE}"'
        parts.append(polyline([(x, y - 4), (x + 24, y - 4)], stroke))
        if access != CONTROL:
            parts.append(_marker(x + 12, y - 4, access))
        parts.append(text(x + 30, y, spoken(access), "note"))
        x += 50 + 6.8 * len(spoken(access))
    x, y = float(MARGIN), y + 24
    parts.append(rect(x, y - 10, 24, 12, "#e4e8ec"))
    parts.append(polyline([(x, y - 4), (x + 24, y - 4)], f'stroke="{drawing.OTHER}" stroke-width="{_CURVE}"'))
    parts.append(text(x + 30, y, "best of its access, with 95% interval", "note"))
    x += 284
    parts.append(polyline([(x, y - 4), (x + 24, y - 4)], f'stroke="{drawing.OTHER}" stroke-width="{_THIN}"'))
    parts.append(text(x + 30, y, "any other", "note"))
    x += 108
    parts.append(line(x, y - 4, x + 24, y - 4, "clean"))
    parts.append(text(x + 30, y, "clean rate", "note"))
    x += 112
    parts.append(rect(x, y - 12, 24, 8, BEYOND))
    parts.append(line(x, y - 4, x + 24, y - 4, "ceiling"))
    parts.append(text(x + 30, y, "certified ceiling (of the expected rate), hatched: excluded", "note"))
    return parts
