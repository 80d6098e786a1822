"""docs/api.md lists the public names of the four packages, no others, and the columns of the records."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from benchmark.rooms import HOME, ROOMS
from leaderboard.stored.archive import PLACE
from leaderboard.stored.records import COLUMNS

PAGE = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")


def listed() -> dict[str, list[str]]:
    """The names in the page's table, by package."""
    found: dict[str, list[str]] = {}
    room = ""
    table = PAGE.partition("## Public names")[2]
    for first, names in re.findall(r"^\| (`\w+`)? ?\| (`.*?`) \| ", table, re.MULTILINE):
        room = first.strip("`") or room
        found.setdefault(room, []).extend(re.findall(r"`(\w+)`", names))
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_the_public_names_are_those_of_the_page(room: str):
    assert sorted(listed()[room]) == sorted(import_module(room).__all__)


@pytest.mark.parametrize("room", ROOMS)
def test_each_public_name_is_there_and_the_package_is_typed(room: str):
    module = import_module(room)
    assert all(hasattr(module, name) for name in module.__all__)
    assert (HOME / room / "py.typed").is_file()


def test_the_columns_are_those_of_the_page():
    section = PAGE.partition("## Columns of the records")[2].partition("## Public names")[0]
    assert set(re.findall(r"`(\w+)`", section)) == {*PLACE, *COLUMNS, "cell"}
