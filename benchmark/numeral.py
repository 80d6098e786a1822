"""Numbers as typed on the command line and in TOML files."""

from __future__ import annotations

import math


def numeral(text: str) -> float:
    """The number that ``text`` stands for.

    Raises:
        ValueError: it stands for none.
        OverflowError: a float would round it to 0 or infinity, and error messages would quote that.
    """
    value = float(text)
    digits = text.lower().partition("e")[0]
    if value == 0 and any(digit in digits for digit in "123456789"):
        raise OverflowError(f"{text} is too near to 0 for a number here")
    if math.isinf(value) and "inf" not in text.lower():
        raise OverflowError(f"{text} is too large for a number here")
    return value
