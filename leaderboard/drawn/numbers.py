"""Numbers as people read them."""

from __future__ import annotations

from leaderboard.row import Row

NONE = "—"


def percent(rate: float | None, digits: int = 1) -> str:
    """0.12 → "12.0%", or with as many decimals as `digits`."""
    return NONE if rate is None else f"{rate:.{digits}%}"


def percent_with_interval(rate: float | None, low: float, high: float, digits: int = 1) -> str:
    """A rate in [0, 1] with its interval, in percent: "12.0% [10.1, 14.2]"; a dash where there is no rate."""
    return NONE if rate is None else f"{percent(rate, digits)} [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"


def interval(row: Row) -> str:
    """The abstention rate of a row with its 95% interval; the row's status where it failed."""
    if row["abstention_low"] is None or row["abstention_high"] is None:
        return row["status"]
    return percent_with_interval(row["abstention_rate"], row["abstention_low"], row["abstention_high"])


def number(value: float | None, digits: int = 0) -> str:
    """12345.678 → "12,346", or with as many decimals as `digits`."""
    return NONE if value is None else f"{value:,.{digits}f}"


def duration(seconds: float) -> str:
    """29 → "29 s", 90 → "1.5 min", 9000 → "2.5 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def p_value(p: float | None) -> str:
    """0.0312 → "0.031"; "<0.0001" below."""
    if p is None:
        return NONE
    return f"{p:.2g}" if p >= 1e-4 else "<0.0001"
