"""The defender's side on the page and as a picture."""

from __future__ import annotations

import re

import pytest
from leaderboard_data import texts

from leaderboard.availability import standings
from leaderboard.board import measured
from leaderboard.drawn.availability_picture import svg
from leaderboard.drawn.availability_tables import section
from leaderboard.variants import variants


def lost(count: int) -> list[int]:
    return [-1] * count + list(range(count, 10))


@pytest.fixture
def two(store, add):
    """Two targets at two ε."""
    for target, count in (("toy-sigma0.50", 4), ("toy-macer-sigma0.50", 2)):
        for epsilon in (0.5, 1.0):
            add({"outcome": lost(1)}, target=target, epsilon=epsilon, attack="clean", access="none")
            add({"outcome": lost(count), "ceiling": 0.75}, target=target, epsilon=epsilon)
            add({"outcome": lost(count)}, target=target, epsilon=epsilon, attack="nes", access="score", query_budget=30)
    return standings(measured(store, variants(store.cells())))


def test_a_line_of_the_table_says_what_the_standing_says(two):
    page = "\n\n".join(section(two, "standings.svg"))
    assert page.count("### toy, toys, ε = ") == 2
    lines = re.findall(r"^\| \d \|.*$", page, re.MULTILINE)
    assert len(lines) == 4
    first = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert first[:4] == ["1", "toy-macer-sigma0.50", "90.0%", "90.0%"]
    assert first[7] == "**80% [44, 97]**"
    assert first[8:10] == ["50.0%", "50.0%"]  # of the lowest ceiling proven
    second = [cell.strip() for cell in lines[1].strip("|").split("|")]
    assert second[:2] == ["2", "toy-sigma0.50"]
    assert second[10].startswith("20.0 [")
    assert "| toy-sigma0.50 | 60% [23, 90] margin | 60.0%, every 60.0% |" in page


def test_a_single_target_has_a_line_of_its_own(store, add):
    add({})
    alone = standings(measured(store, variants(store.cells())))
    page = "\n".join(section(alone, None))
    assert "| 1 | toy-sigma0.50 |" in page
    assert page.rstrip().count("standings.svg") == 0
    assert svg(alone) is not None


def test_without_standings_there_is_no_section():
    assert section([], None) == []
    assert svg([]) is None


def test_the_picture_has_a_panel_an_epsilon_and_three_points_a_target(two):
    picture = svg(two)
    assert picture is not None
    words = texts(picture)
    assert [word for word in words if word.startswith("ε = ")] == ["ε = 0.5", "ε = 1.0"]
    assert {"toy-sigma0.50", "toy-macer-sigma0.50", "clean", "under attack", "certified within ε"} <= set(words)
    # A ring and a disc a target and panel, a disc a target in the legend, and the two in the legend of marks.
    assert picture.count("<circle") == 2 * 2 * 2 + 2 + 2
    assert picture.count('width="8" height="8"') == 2 * 2 + 1


def test_at_most_three_epsilons_the_largest_are_drawn(store, add):
    for target in ("a", "b"):
        for epsilon in (0.25, 0.5, 1.0, 2.0):
            add({}, target=target, epsilon=epsilon)
    picture = svg(standings(measured(store, variants(store.cells()))))
    assert picture is not None
    assert [word for word in texts(picture) if word.startswith("ε = ")] == ["ε = 0.5", "ε = 1.0", "ε = 2.0"]
