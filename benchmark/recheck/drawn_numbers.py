"""Whether what is shown of a board, its page and its pictures, says what its rows say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any

from benchmark.recheck.clause import Clause, kept
from leaderboard.availability import Standing
from leaderboard.curves import epsilon_panels, query_panels
from leaderboard.drawn import availability_picture
from leaderboard.drawn.curve_picture import epsilon_svg, query_svg
from leaderboard.drawn.landed import landed_tables
from leaderboard.drawn.numbers import NONE, interval, percent
from leaderboard.drawn.picture import svg
from leaderboard.row import Row
from leaderboard.sources import MARKS, attacked

PAGE = "LEADERBOARD.md"
FIGURE = re.compile(r"\d+(?:\.\d+)?%|n = [\d,]+|ε = [\d.]+")
"""Numbers that pictures and tables write out."""

_WORDS = re.compile(r"<text[^>]*>([^<]*)</text>")
_MARKS = "".join(filter(None, MARKS.values()))


def pictures(folder: Path, rows: Sequence[Row], standings: Sequence[Standing] = ()) -> list[Clause]:
    """A clause for each picture of the board: drawn again from the rows, it is the same, or writes the same numbers."""
    by_epsilon, by_queries = epsilon_panels(rows), query_panels(rows)
    drawn = {"board.svg": svg(rows)}
    drawn |= {"curves-epsilon.svg": epsilon_svg(by_epsilon)} if by_epsilon else {}
    drawn |= {"curves-queries.svg": query_svg(by_queries)} if by_queries else {}
    drawn |= {"standings.svg": standing} if (standing := availability_picture.svg(standings)) else {}
    return [_picture(folder / name, text) for name, text in drawn.items() if (folder / name).is_file()]


def _picture(path: Path, drawn: str) -> Clause:
    held = path.read_text(encoding="utf-8", errors="replace")
    if held == drawn:
        return Clause("ok", path.name, "the rows give the same picture, to the byte")
    theirs, ours = _figures(held), _figures(drawn)
    if theirs != ours:
        other = sorted((theirs - ours) or (ours - theirs))
        return Clause(
            "FAIL", path.name, f"it says {other[0]}, which the rows do not" if theirs - ours else f"it lacks {other[0]}"
        )
    return Clause(
        "note",
        path.name,
        "every number that it writes is the rows'; another version drew it, so its lines are not compared",
    )


def _figures(picture: str) -> Counter[str]:
    return Counter(figure for words in _WORDS.findall(picture) for figure in FIGURE.findall(unescape(words)))


def page(folder: Path, rows: Sequence[Row]) -> Clause:
    """Whether each row stands on the page with its numbers, and no other row does."""
    path = folder / PAGE
    if not path.is_file():
        return Clause("note", PAGE, "there is no page")
    said = Counter(_said(path.read_text(encoding="utf-8", errors="replace")))
    wanted = Counter(map(_numbers, attacked(rows)))
    broken = [f"it lacks {_line(line)}" for line in wanted - said]
    broken += [f"it says {_line(line)}, which the records do not" for line in said - wanted]
    return kept(PAGE, f"each of {wanted.total():,} rows stands there with its numbers, and no other", broken)


_COLUMNS = ("attack", "abstain [95% CI]", "clean", "ceiling", "share", "accuracy")


def _said(text: str) -> list[tuple[str, ...]]:
    """What the page's tables of rows say, by `_COLUMNS`."""
    found, headers = [], list[str]()
    for line in text.replace("\\", "").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            headers = []
        elif not headers:
            headers = cells
        elif headers[0] == "#" and "attack" in headers and set(line) - set("|-: "):
            by_name: Mapping[str, str] = dict(zip(headers, cells, strict=False))
            values = [by_name.get(name, "") for name in _COLUMNS]
            found.append((values[0].rstrip("*" + _MARKS), *values[1:]))
    return found


def _numbers(row: Row) -> tuple[str, ...]:
    values: list[Any] = [row["clean_abstention_rate"], row["ceiling"], row["share_of_ceiling"], row["accuracy"]]
    name = row["attack"].replace("\\", "").replace("|", "").rstrip("*" + _MARKS)
    return name, interval(row), *(percent(value) for value in values)


def _line(numbers: tuple[str, ...]) -> str:
    name, rate, clean, ceiling, *_ = numbers
    return f"{name} {rate}, clean {clean or NONE}, ceiling {ceiling or NONE}"


def landed(folder: Path, rows: Sequence[Row]) -> list[Clause]:
    """Whether the page shows the re-evaluated rows as the records say; nothing where there are none."""
    tables, path = landed_tables(rows), folder / PAGE
    if not tables or not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\", "")
    broken = [
        f"it lacks {' | '.join(line)}"
        for one in tables
        for line in one.lines
        if "| " + " | ".join(line).replace("\\", "") + " |" not in text.replace("|  |", "|  |")
    ]
    return [kept("re-evaluated", "the page's tables of re-evaluated rows say what the records say", broken)]
