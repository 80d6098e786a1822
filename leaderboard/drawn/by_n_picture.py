"""How n buys availability, as a picture: a panel a target and ε, in SVG without dependencies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from leaderboard.availability_by_n import AtN, ByN
from leaderboard.drawn import drawing
from leaderboard.drawn.drawing import MARGIN, WIDTH, line, polygon, polyline, rect, text

COLUMNS = 3
_TOP, _HEAD, _PLOT, _FOOT, _LEGEND = 84, 30, 190, 50, 60
_AXIS, _GAP = 40, 30

ANSWERED, RIGHT = "#0072b2", "#009e73"


@dataclass(frozen=True)
class _Plot:
    """Where a panel's curves are drawn."""

    x: float
    y: float
    width: float
    low: int
    high: int

    def at(self, n: int, rate: float) -> tuple[float, float]:
        place = math.log(n / self.low) / math.log(self.high / self.low)
        return self.x + self.width * place, self.y + _PLOT * (1 - rate)


def svg(series: Sequence[ByN]) -> str | None:
    """Answered and right against n, on a logarithmic scale; None without series."""
    if not series:
        return None
    columns = min(COLUMNS, len(series))
    width = (WIDTH - 2 * MARGIN - _GAP * (COLUMNS - 1)) / COLUMNS - _AXIS
    panel_height = _HEAD + _PLOT + _FOOT
    height = _TOP + panel_height * -(-len(series) // columns) + _LEGEND
    parts: list[str] = []
    for place, one in enumerate(series):
        x = MARGIN + _AXIS + place % columns * (width + _AXIS + _GAP)
        y = _TOP + _HEAD + place // columns * panel_height
        parts += _panel(_Plot(x, y, width, one["points"][0]["n"], one["points"][-1]["n"]), one)
    parts += _legend(height - _LEGEND + 18)
    images = drawing.images_seen(one["images"] for one in series)
    return drawing.document(height, "How n buys availability", f"Share of {images} evaluation images", parts)


def _panel(plot: _Plot, one: ByN) -> list[str]:
    points = one["points"]
    heading = f"{drawing.short(one['target'], 30)}, ε = {one['epsilon']}"
    parts = [text(plot.x - _AXIS, plot.y - 12, heading, "panel")]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        (left, y), (right, _) = plot.at(plot.low, share), plot.at(plot.high, share)
        parts.append(line(left, y, right, y, "grid"))
        if share in (0.0, 0.5, 1.0):
            parts.append(text(left - 6, y + 3.5, f"{share:.0%}", "level"))
    for point in points:
        x, bottom = plot.at(point["n"], 0)
        parts += [line(x, bottom, x, bottom + 4, "grid"), text(x, bottom + 16, f"{point['n']:,}", "tick")]
    parts.append(text(plot.x + plot.width / 2, plot.y + _PLOT + 32, "n, noise samples of PREDICT", "tick"))
    return parts + _curves(plot, points, ANSWERED, "answered") + _curves(plot, points, RIGHT, "right")


def _curves(plot: _Plot, points: Sequence[AtN], colour: str, what: Literal["answered", "right"]) -> list[str]:
    """Clean, under attack with its interval, and certified."""
    attacked = [point["answered"] if what == "answered" else point["right"] for point in points]
    clean = [point["clean_answered"] if what == "answered" else point["clean_right"] for point in points]
    certified = [point["certified_answered"] if what == "answered" else point["certified_right"] for point in points]

    def places(rates: Iterable[float]) -> list[tuple[float, float]]:
        return [plot.at(point["n"], rate) for point, rate in zip(points, rates, strict=True)]

    measured = places(rate["rate"] for rate in attacked)
    low, high = places(rate["low"] for rate in attacked), places(rate["high"] for rate in attacked)
    return [
        polygon([*high, *reversed(low)], f'fill="{colour}" opacity="0.12"'),
        polyline(places(rate["rate"] for rate in clean), _style(colour, 1.4, "3 2.5")),
        polyline(places(certified), _style(colour, 1.4, "8 3 1.5 3")),
        polyline(measured, _style(colour, 2.4)),
        *(rect(x - 2.5, y - 2.5, 5, 5, colour) for x, y in measured),
    ]


def _style(colour: str, width: float, dashes: str = "") -> str:
    return f'stroke="{colour}" fill="none" stroke-width="{width}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _legend(y: float) -> list[str]:
    parts: list[str] = []
    x: float = MARGIN
    for colour, words in ((ANSWERED, "answered"), (RIGHT, "answered rightly")):
        parts += [rect(x, y - 9, 12, 10, colour), text(x + 18, y, words, "note")]
        x += 150
    for width, dashes, words in (
        (1.4, "3 2.5", "clean"),
        (2.4, "", "under every attack, with 95% interval"),
        (1.4, "8 3 1.5 3", "certified, within ε"),
    ):
        style = _style(drawing.OTHER, width, dashes)
        parts += [polyline([(x, y - 4), (x + 30, y - 4)], style), text(x + 37, y, words, "note")]
        x += 110 if words == "clean" else 290
    return parts
