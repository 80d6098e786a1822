"""Markdown's small parts: tables, and text that is not read as markup."""

from __future__ import annotations

from collections.abc import Sequence


def table(headers: Sequence[str], lines: Sequence[Sequence[str]], text_columns: int) -> str:
    """A Markdown table with the first columns to the left and the others, numbers, to the right."""
    align = ["---"] * text_columns + ["---:"] * (len(headers) - text_columns)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [headers, align, *lines])


def escape(text: str) -> str:
    """Text that neither ends a table cell nor is read as markup."""
    for special in "\\|*_`<>[]":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())


def code(text: str) -> str:
    """Text in code style; inside a table a bar must be escaped even there."""
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', chr(92) + '|')}`"
