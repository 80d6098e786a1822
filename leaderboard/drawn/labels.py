"""Labels beside curves, placed so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence

SPACING = 13.5
"""Height of a line of text."""


def apart(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Growing heights, moved as little as keeps them `SPACING` apart and, if they fit, between `top` and `bottom`."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + SPACING) if placed else max(height, top))
    for i in reversed(range(len(placed))):
        limit = bottom if i == len(placed) - 1 else placed[i + 1] - SPACING
        placed[i] = min(placed[i], limit)
    return placed
