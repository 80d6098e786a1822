"""How large a number may be: what its type holds, what memory holds, and with what PREDICT can answer."""

from __future__ import annotations

import math
from typing import Any

from targets.binomial import always_abstains, smallest_sufficient
from targets.errors import InputError

LARGEST = 2**63 - 1
"""The largest whole number: they are stored in 64 bits."""

MOST_SAMPLES = 10_000_000
"""Noise samples an image, at most. PREDICT's test stores a number for every count, and needs ten times as much while it
computes them: 0.8 GB here. So many passes of a ResNet-20 take an hour an image on two cores."""

SMALLEST, GREATEST = 1e-6, 1e6
"""Bounds on σ and ε, in [0, 1] pixel units. Beyond them, noise and perturbations vanish or overflow in float32."""


LARGEST_ALPHA = 0.5
"""The largest α of PREDICT and CERTIFY. Above it, an answer may be wrong more often than right."""


def check_whole(name: str, value: int, least: int = -LARGEST) -> None:
    """Raise :class:`InputError` for a whole number below ``least``, or too large for 64 bits."""
    if value < least:
        raise InputError(f"{name} is {value}; give a number of at least {least}")
    if value > LARGEST:
        raise InputError(f"{name} is {value}; give a number of at most {LARGEST}, which 64 bits can hold")


def check_samples(name: str, value: int, least: int = 1) -> None:
    """Raise :class:`InputError` for a number of noise samples below ``least``, or too large for memory."""
    if value < least:
        raise InputError(f"{name} is {value}; give at least {max(least, 1)} noise sample{'s' if least > 1 else ''}")
    if value > MOST_SAMPLES:
        raise InputError(f"{name} is {value}; give at most {MOST_SAMPLES:,} noise samples, which memory can hold")


def check_length(name: str, value: float) -> float:
    """Return a length in [0, 1] pixel units as it is. Raises :class:`InputError` for one that float32 cannot hold."""
    if not is_number(value) or not SMALLEST <= value <= GREATEST:
        raise InputError(
            f"{name} is {number(value)}; give a number above 0, from {SMALLEST:g} to {GREATEST:g} in [0, 1] pixel units"
        )
    return value


def is_number(value: Any) -> bool:
    """Whether it is a number that fits a float. NaN and infinity count, booleans do not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= LARGEST


def is_finite(value: Any) -> bool:
    """Whether it is a number that fits a float, and neither NaN nor infinite."""
    return is_number(value) and math.isfinite(value)


def number(value: Any) -> str:
    """A value for a message, with all digits: ``0.1``, ``10``, ``1e-320``, ``'text'``."""
    return repr(float(value)).removesuffix(".0") if is_number(value) else repr(value)


def check_test(n: int, alpha: float) -> None:
    """Raise :class:`InputError` unless PREDICT can answer with ``n`` samples at level ``alpha``."""
    check_alpha(alpha)
    check_samples("n", n)
    if always_abstains(n, alpha):
        raise InputError(
            f"with n = {n} at alpha = {alpha:g} PREDICT would always abstain; "
            f"give n of at least {smallest_sufficient(alpha)}"
        )


def check_alpha(alpha: float) -> None:
    """Raise :class:`InputError` unless ``alpha`` is above 0 and at most :data:`LARGEST_ALPHA`."""
    if not is_number(alpha) or not 0 < alpha <= LARGEST_ALPHA:
        allowed = f"above 0 and at most {LARGEST_ALPHA}, how often an answer may be wrong"
        raise InputError(f"alpha is {number(alpha)}; give a number {allowed}")
