"""The board as a picture: one panel a target, one bar an attack, in SVG without dependencies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

from leaderboard.board import by_strength, fullest
from leaderboard.row import Row
from leaderboard.tables import conditions, percent

# Told apart by people with any colour vision (Okabe and Ito 2008, darkened where white text would not show).
_COLOURS = {
    "white-box": "#0072b2",
    "score": "#009e73",
    "decision": "#cc79a7",
    "transfer": "#e69f00",
    "none": "#8c959f",
}
_OTHER = "#57606a"  # an access that a plugin brought

_WIDTH, _MARGIN, _COLUMNS = 960, 28, 4
_VALUES, _GAP = 48, 14  # widths: percentages beside the bars, between panels
_LINE, _BAR = 24, 13  # heights: of an attack, of its bar
_TOP, _HEAD, _FOOT, _LEGEND = 84, 46, 30, 44

_STYLE = """\
text { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 20px; font-weight: 600; }
.note { font-size: 12.5px; fill: #59636e; }
.panel { font-size: 14px; font-weight: 600; }
.name { font-size: 13px; text-anchor: end; }
.value { font-size: 12px; text-anchor: end; font-variant-numeric: tabular-nums; }
.tick { font-size: 10.5px; fill: #59636e; text-anchor: middle; }
.grid { stroke: #e4e8ec; }
.clean { stroke: #1f2328; stroke-width: 1.2; stroke-dasharray: 3 2.5; }
.ceiling { stroke: #b3261e; stroke-width: 2; }
.whisker { stroke: #1f2328; stroke-width: 1.2; opacity: 0.75; }
"""


def svg(rows: Sequence[Row]) -> str:
    """The picture of at least one row: its first suite under its fullest n and alpha, at the ε that tells most."""
    rows = _shown(rows)
    first = rows[0]
    targets = sorted({(row["sigma"], row["target"]) for row in rows})
    attacks = by_strength(rows)
    columns = min(_COLUMNS, len(targets))
    panel_height = _HEAD + _LINE * len(attacks) + _FOOT
    height = _TOP + panel_height * -(-len(targets) // columns) + _LEGEND
    names = 14 + 7.3 * max(len(_short(attack)) for attack in attacks)
    width = (_WIDTH - 2 * _MARGIN - names - _GAP * (columns - 1)) / columns
    title = f"Abstention forced at ε = {first['epsilon']} ({conditions(first)})"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
        f' height="{height}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        '<defs><pattern id="beyond" width="6" height="6" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)"><rect width="6" height="6" fill="#f3f0ef"/>'
        '<line x1="0" y1="0" x2="0" y2="6" stroke="#dcd3d1" stroke-width="2"/></pattern></defs>',
        f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="12" fill="#ffffff" stroke="#d0d7de"/>',
        _text(_MARGIN, 40, title, "title"),
        _text(_MARGIN, 62, _subtitle(rows), "note"),
    ]
    for place, (_, target) in enumerate(targets):
        column, line = place % columns, place // columns
        x = _MARGIN + names + column * (width + _GAP)
        y = _TOP + line * panel_height
        if column == 0:
            for i, attack in enumerate(attacks):
                parts.append(_text(x - 10, y + _HEAD + _LINE * (i + 0.5) + 4.5, _short(attack), "name"))
        cells = {row["attack"]: row for row in rows if row["target"] == target}
        parts += _panel(x, y, width - _VALUES, target, [cells.get(name) for name in attacks])
    parts += _legend(rows, height - 22)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _telling_epsilon(rows: Sequence[Row]) -> float:
    """The largest ε at which the ceiling still says something (under 90% on average), else the largest."""
    epsilons = sorted({row["epsilon"] for row in rows}, reverse=True)
    for epsilon in epsilons:
        ceilings = [row["ceiling"] for row in rows if row["epsilon"] == epsilon and row["ceiling"] is not None]
        if ceilings and sum(ceilings) / len(ceilings) < 0.9:
            return epsilon
    return epsilons[0]


def _shown(rows: Sequence[Row]) -> list[Row]:
    rows = [row for row in rows if row["suite"] == rows[0]["suite"]]
    telling = _telling_epsilon(rows)
    rows = [row for row in rows if row["epsilon"] == telling]
    count = Counter((row["n"], row["alpha"]) for row in rows)
    fullest_conditions = max(count, key=lambda condition: (count[condition], condition))
    return [row for row in rows if (row["n"], row["alpha"]) == fullest_conditions]


def _subtitle(rows: Sequence[Row]) -> str:
    images = sorted({row["images"] for row in rows if row["status"] != "failed"})
    seen = " to ".join(f"{count:,}" for count in dict.fromkeys((images[0], images[-1]))) if images else "no"
    what = "on which the smoothed classifier abstains under attack, with its 95% interval"
    return f"Share of {seen} {rows[0]['suite']} images {what}"


def _panel(x: float, y: float, width: float, target: str, rows: Sequence[Row | None]) -> list[str]:
    """One target: grid, ceiling, bars and clean line; `x` and `width` are those of the 0–100% track."""
    top, bottom = y + _HEAD, y + _HEAD + _LINE * len(rows)
    shared = fullest(row for row in rows if row is not None)
    clean, ceiling = (shared["clean_abstention_rate"], shared["ceiling"]) if shared else (None, None)
    parts = [
        _text(x, y + 16, target, "panel"),
        _text(x, y + 34, f"clean {percent(clean)} · ceiling {percent(ceiling)}", "note"),
    ]
    if ceiling is not None and ceiling < 1:
        start = x + width * ceiling
        parts.append(_rect(start, top, x + width - start, bottom - top, "url(#beyond)"))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_line(x + width * share, top, x + width * share, bottom, "grid"))
        if share in (0.0, 0.5, 1.0):
            parts.append(_text(x + width * share, bottom + 15, f"{share:.0%}", "tick"))
    for place, row in enumerate(rows):
        parts += _bar(x, top + _LINE * (place + 0.5), width, row)
    for rate, style in ((clean, "clean"), (ceiling, "ceiling")):
        if rate is not None:
            parts.append(_line(x + width * rate, top - 3, x + width * rate, bottom + 3, style))
    return parts


def _bar(x: float, middle: float, width: float, row: Row | None) -> list[str]:
    if row is None:
        return []
    if row["abstention_rate"] is None or row["abstention_low"] is None or row["abstention_high"] is None:
        return [_text(x + width + _VALUES - 4, middle + 4, "failed", "value")]
    colour = _COLOURS.get(row["access"], _OTHER)
    low, high = x + width * row["abstention_low"], x + width * row["abstention_high"]
    mark = "*" if row["status"] == "partial" else ""
    return [
        _rect(x, middle - _BAR / 2, max(width * row["abstention_rate"], 1), _BAR, colour),
        _line(low, middle, high, middle, "whisker"),
        _line(low, middle - 3, low, middle + 3, "whisker"),
        _line(high, middle - 3, high, middle + 3, "whisker"),
        _text(x + width + _VALUES - 4, middle + 4, percent(row["abstention_rate"]) + mark, "value"),
    ]


def _legend(rows: Sequence[Row], y: float) -> list[str]:
    known = {row["access"] for row in rows}
    x = float(_MARGIN)
    parts = []
    for access in [*(name for name in _COLOURS if name in known), *sorted(known - set(_COLOURS))]:
        parts.append(_rect(x, y - 10, 12, 12, _COLOURS.get(access, _OTHER)))
        parts.append(_text(x + 18, y, "control" if access == "none" else access, "note"))
        x += 36 + 6.8 * len("control" if access == "none" else access)
    x += 14
    parts.append(_line(x, y - 12, x, y + 4, "clean"))
    parts.append(_text(x + 8, y, "clean rate", "note"))
    x += 92
    parts.append(_line(x, y - 12, x, y + 4, "ceiling"))
    parts.append(_rect(x + 1, y - 10, 16, 12, "url(#beyond)"))
    parts.append(_text(x + 24, y, "beyond the certified ceiling (expected rate)", "note"))
    return parts


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'
