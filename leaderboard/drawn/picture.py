"""The board as a picture: one panel a target, one bar an attack, in SVG without dependencies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from leaderboard.access import ordered, spoken
from leaderboard.board import at_common_budget, by_strength, fullest, is_best_of
from leaderboard.drawn import drawing
from leaderboard.drawn.drawing import BEYOND, MARGIN, WIDTH, line, rect, short, text
from leaderboard.drawn.groups import conditions
from leaderboard.drawn.numbers import percent
from leaderboard.row import Row

_COLUMNS = 4
_VALUES, _GAP = 48, 14  # widths: percentages beside the bars, between panels
_LINE, _BAR = 24, 13  # heights: of an attack, of its bar
_TOP, _HEAD, _FOOT, _LEGEND = 84, 46, 30, 44


def svg(rows: Sequence[Row]) -> str:
    """The picture of at least one row: of the first suite, the n, alpha, seed and images with most rows, and one ε."""
    rows = telling_rows(rows)
    first = rows[0]
    targets = sorted({(row["sigma"], row["target"]) for row in rows})
    attacks = by_strength(rows)
    columns = min(_COLUMNS, len(targets))
    panel_height = _HEAD + _LINE * len(attacks) + _FOOT
    height = _TOP + panel_height * -(-len(targets) // columns) + _LEGEND
    names = 14 + 7.3 * max(len(short(attack)) for attack in attacks)
    width = (WIDTH - 2 * MARGIN - names - _GAP * (columns - 1)) / columns
    title = f"Abstention forced at ε = {first['epsilon']} ({conditions(first)})"

    parts: list[str] = []
    for place, (_, target) in enumerate(targets):
        column, level = place % columns, place // columns
        x = MARGIN + names + column * (width + _GAP)
        y = _TOP + level * panel_height
        if column == 0:
            for i, attack in enumerate(attacks):
                style = "together" if is_best_of(attack) else "name"
                parts.append(text(x - 10, y + _HEAD + _LINE * (i + 0.5) + 4.5, short(attack), style))
        cells = {row["attack"]: row for row in rows if row["target"] == target}
        parts += _panel(x, y, width - _VALUES, target, [cells.get(name) for name in attacks])
    parts += _legend(rows, height - 22)
    return drawing.document(height, title, _subtitle(rows), parts)


def telling_epsilon(rows: Sequence[Row]) -> float:
    """The ε to show: the largest at which the ceiling excludes something (under 90% on average), else the largest."""
    epsilons = sorted({row["epsilon"] for row in rows}, reverse=True)
    for epsilon in epsilons:
        ceilings = [row["ceiling"] for row in rows if row["epsilon"] == epsilon and row["ceiling"] is not None]
        if ceilings and sum(ceilings) / len(ceilings) < 0.9:
            return epsilon
    return epsilons[0]


def telling_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows that a picture shows: of the first suite those under the conditions of most, at `telling_epsilon`."""
    rows = [row for row in rows if row["suite"] == rows[0]["suite"]]
    count = Counter(map(_conditions, rows))
    most = max(count, key=lambda condition: (count[condition], condition))
    rows = at_common_budget(row for row in rows if _conditions(row) == most)
    telling = telling_epsilon(rows)
    return [row for row in rows if row["epsilon"] == telling]


def _conditions(row: Row) -> tuple[int, float, int, int]:
    return row["n"], row["alpha"], row["seed"], row["of_images"]


def _subtitle(rows: Sequence[Row]) -> str:
    images = drawing.images_seen(row["images"] for row in rows if row["status"] != "failed")
    budgets = [row["query_budget"] for row in rows if row["query_budget"] is not None]
    what = "on which the smoothed classifier abstains under attack, with its 95% interval"
    queries = f" · at most {max(budgets):,} queries" if budgets else ""
    return f"Share of {images} evaluation images {what}{queries}"


def _panel(x: float, y: float, width: float, target: str, rows: Sequence[Row | None]) -> list[str]:
    """One target: grid, ceiling, bars and clean line; `x` and `width` are those of the 0–100% track."""
    top, bottom = y + _HEAD, y + _HEAD + _LINE * len(rows)
    shared = fullest(row for row in rows if row is not None)
    clean, ceiling = (shared["clean_abstention_rate"], shared["ceiling"]) if shared else (None, None)
    parts = [
        text(x, y + 16, target, "panel" if 10 * len(target) < width + _VALUES else "narrow"),
        text(x, y + 34, f"clean {percent(clean)} · ceiling {percent(ceiling)}", "note"),
    ]
    if ceiling is not None and ceiling < 1:
        start = x + width * ceiling
        parts.append(rect(start, top, x + width - start, bottom - top, BEYOND))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(line(x + width * share, top, x + width * share, bottom, "grid"))
        if share in (0.0, 0.5, 1.0):
            parts.append(text(x + width * share, bottom + 15, f"{share:.0%}", "tick"))
    for place, row in enumerate(rows):
        parts += _bar(x, top + _LINE * (place + 0.5), width, row)
    for rate, style in ((clean, "clean"), (ceiling, "ceiling")):
        if rate is not None:
            parts.append(line(x + width * rate, top - 3, x + width * rate, bottom + 3, style))
    return parts


def _bar(x: float, middle: float, width: float, row: Row | None) -> list[str]:
    if row is None:
        return []
    if row["abstention_rate"] is None or row["abstention_low"] is None or row["abstention_high"] is None:
        return [text(x + width + _VALUES - 4, middle + 4, "failed", "value")]
    colour = drawing.colour(row["access"])
    low, high = x + width * row["abstention_low"], x + width * row["abstention_high"]
    mark = "*" if row["status"] == "partial" else ""
    return [
        rect(x, middle - _BAR / 2, max(width * row["abstention_rate"], 1), _BAR, colour),
        line(low, middle, high, middle, "whisker"),
        line(low, middle - 3, low, middle + 3, "whisker"),
        line(high, middle - 3, high, middle + 3, "whisker"),
        text(x + width + _VALUES - 4, middle + 4, percent(row["abstention_rate"]) + mark, "value"),
    ]


def _legend(rows: Sequence[Row], y: float) -> list[str]:
    x = float(MARGIN)
    parts = []
    for access in ordered(row["access"] for row in rows):
        parts.append(rect(x, y - 10, 12, 12, drawing.colour(access)))
        parts.append(text(x + 18, y, spoken(access), "note"))
        x += 36 + 6.8 * len(spoken(access))
    x += 14
    parts.append(line(x, y - 12, x, y + 4, "clean"))
    parts.append(text(x + 8, y, "clean rate", "note"))
    x += 92
    parts.append(line(x, y - 12, x, y + 4, "ceiling"))
    parts.append(rect(x + 1, y - 10, 16, 12, BEYOND))
    parts.append(text(x + 24, y, "beyond the certified ceiling (expected rate)", "note"))
    return parts
