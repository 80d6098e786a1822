"""Messages for a terminal: one line of bounded length, without control characters, whatever they quote."""

from __future__ import annotations

LONGEST = 1000
"""Most characters of a message. A longer one loses its middle: the beginning says what is wrong, the end what to do."""


def one_line(message: object) -> str:
    """The message with line breaks and control characters escaped, and without the middle of a long one."""
    text = "".join(c if c.isprintable() else _escaped(c) for c in str(message).strip())
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST * 2 // 3]} … {text[-LONGEST // 3 + 3 :]}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
