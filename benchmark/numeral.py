"""Numbers as they are typed, on the command line and in TOML files."""

from __future__ import annotations

import math


def numeral(text: str) -> float:
    """The number that ``text`` says.

    Raises:
        ValueError: it says none.
        OverflowError: it says one that a float takes for 0 or infinity, so that whoever checks it would quote another.
    """
    value = float(text)
    digits = text.lower().partition("e")[0]
    if value == 0 and any(digit in digits for digit in "123456789"):
        raise OverflowError(f"{text} is too near to 0 for a number here")
    if math.isinf(value) and "inf" not in text.lower():
        raise OverflowError(f"{text} is too large for a number here")
    return value
