"""The defender's side as a picture: right answers against answers, in SVG: a panel an ε, three points a target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from leaderboard.availability import Standing
from leaderboard.drawn import drawing
from leaderboard.drawn.availability_tables import by_table
from leaderboard.drawn.drawing import BEYOND, MARGIN, WIDTH, line, polygon, polyline, text

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#aa3377", "#e69f00", "#56b4e9", "#1f2328", "#8c6d1f")
"""By target, in the order of rank at the first ε shown."""

GREY = "#c4ccd4"
"""Of the targets that come after those with a colour."""

PANELS = 3
"""Side by side, at most."""

LARGEST = 400
"""The longest side of a panel."""

_TOP, _SIDE, _GAP, _FOOT, _LINE = 84, 46, 34, 62, 19


def svg(standings: Sequence[Standing]) -> str | None:
    """The picture of the suite, data set, n, α, seed and images with the most points; None without standings."""
    tables = by_table(standings)
    if not tables:
        return None
    count = Counter({_deployment(group[0]): 0 for group in tables})
    for group in tables:
        count[_deployment(group[0])] += len(group)
    shown = max(count, key=lambda deployment: count[deployment])
    panels = [group for group in tables if _deployment(group[0]) == shown][-PANELS:]  # the largest ε
    targets = list(dict.fromkeys(one["target"] for group in panels for one in group))
    colours = dict(zip(targets, PALETTE, strict=False))
    entries = [(colour, drawing.short(target, 40)) for target, colour in colours.items()]
    if len(targets) > len(colours):
        entries.append((GREY, f"{len(targets) - len(colours)} after these in rank"))
    size = min(LARGEST, (WIDTH - 2 * MARGIN - len(panels) * _SIDE - (len(panels) - 1) * _GAP) / len(panels))
    columns = 3
    legend = _TOP + 26 + size + _FOOT
    height = legend + _LINE * -(-len(entries) // columns) + 40
    parts: list[str] = []
    for place, group in enumerate(panels):
        parts += _panel(MARGIN + _SIDE + place * (size + _SIDE + _GAP), _TOP + 26, size, group, colours)
    for i, (colour, name) in enumerate(entries):
        x = MARGIN + (i % columns) * (WIDTH - 2 * MARGIN) / columns
        y = legend + _LINE * (i // columns)
        parts += [_dot(x + 6, y - 4, colour, "attacked"), text(x + 18, y, name, "note")]
    parts += _marks(height - 18)
    first = panels[0][0]
    title = "Right answers against answers"
    subtitle = f"{first['suite']} · {first['images']:,} evaluation images · n = {first['n']:,}, α = {first['alpha']:g}"
    subtitle += " · under attack: images that are answered under every attack"
    return drawing.document(height, title, subtitle, parts)


def _deployment(one: Standing) -> tuple[str, str, int, float, int, int]:
    return one["suite"], one["data"], one["n"], one["alpha"], one["seed"], one["of_images"]


def _panel(x: float, y: float, size: float, group: Sequence[Standing], colours: dict[str, str]) -> list[str]:
    """One ε: the square from 0 to 100% both ways, of which the corner above the diagonal is impossible."""

    def at(answered: float, right: float) -> tuple[float, float]:
        return x + size * answered, y + size * (1 - right)

    parts = [
        text(x, y - 10, f"ε = {group[0]['epsilon']}", "panel"),
        polygon([at(0, 0), at(0, 1), at(1, 1)], f'fill="{BEYOND}"'),
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [line(*at(share, 0), *at(share, 1), "grid"), line(*at(0, share), *at(1, share), "grid")]
        if share in (0.0, 0.5, 1.0):
            parts.append(text(at(share, 0)[0], y + size + 15, f"{share:.0%}", "tick"))
            parts.append(text(x - 6, at(0, share)[1] + 4, f"{share:.0%}", "level"))
    parts.append(text(x, y + size + 32, "answered →   (up: right)", "note"))
    for one in reversed(group):  # the first in rank is drawn last, on top
        colour, under = colours.get(one["target"], GREY), one["under_attack"][-1]
        clean = at(one["clean_answered"]["rate"], one["clean_right"]["rate"])
        attacked = at(under["answered_every"]["rate"], under["right_every"]["rate"])
        certified = at(one["certified_answered"], one["certified_right"])
        parts.append(polyline([clean, attacked, certified], f'stroke="{colour}" fill="none" opacity="0.45"'))
        for point, kind in ((clean, "clean"), (attacked, "attacked"), (certified, "certified")):
            parts.append(_dot(*point, colour, kind))
    return parts


def _dot(x: float, y: float, colour: str, kind: str) -> str:
    """The mark of a point: a ring for clean, a disc for attacked, a square for certified."""
    if kind == "certified":
        corner = f'x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"'
        return f'<rect {corner} fill="#ffffff" stroke="{colour}" stroke-width="2"/>'
    fill = colour if kind == "attacked" else "#ffffff"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="{colour}" stroke-width="2"/>'


def _marks(y: float) -> list[str]:
    """The legend of the marks."""
    parts, x = [], float(MARGIN)
    for kind, words in (("clean", "clean"), ("attacked", "under attack"), ("certified", "certified within ε")):
        parts += [_dot(x + 6, y - 4, drawing.OTHER, kind), text(x + 18, y, words, "note")]
        x += 40 + 7 * len(words)
    return parts
