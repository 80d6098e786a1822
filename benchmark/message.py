"""Messages: whatever a file or an option holds, one line of bounded length and without control characters."""

from __future__ import annotations

LONGEST = 1000
"""Characters of a message. The middle of a longer one is left out: what is wrong stands at its beginning, what to do
at its end."""


def one_line(message: object) -> str:
    """A message for a terminal: line breaks and control characters escaped, and the middle of a long one left out."""
    text = "".join(c if c.isprintable() else _escaped(c) for c in str(message).strip())
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST * 2 // 3]} … {text[-LONGEST // 3 + 3 :]}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
