"""The defender's side on the page and as a picture."""

from __future__ import annotations

import re

import pytest
from leaderboard_data import texts

from leaderboard.availability import standings
from leaderboard.board import measured
from leaderboard.drawn.availability_picture import GREY, PALETTE, svg
from leaderboard.drawn.availability_tables import by_access, ranking, section
from leaderboard.drawn.standing_text import standing_text
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
    assert first[:4] == ["1", "toy-macer-sigma0.50", "90.0% [55.5, 99.7]", "90.0% [55.5, 99.7]"]
    assert first[4:6] == ["80.0% [44.4, 97.5]", "80.0% [44.4, 97.5]"]
    assert first[6:8] == ["50.0%", "50.0%"]  # of the lowest ceiling proven
    second = [cell.strip() for cell in lines[1].strip("|").split("|")]
    assert second[:2] == ["2", "toy-sigma0.50"]
    assert second[8].startswith("20.0 [")
    left, every = "60.0% [22.8, 90.1]", "60.0% [26.2, 87.8]"
    assert f"| toy-sigma0.50 | white-box | 2 | margin | {left} | margin | {left} | {every} | {every} |" in page
    assert "| toy-sigma0.50 | all | 3 | margin |" in page


def test_every_rate_that_was_measured_has_its_interval(two):
    for grid in (ranking(two), by_access(two)):
        for line in grid.lines:
            rates = [(head, text) for head, text in zip(grid.headers, line, strict=True) if "%" in text]
            assert {head for head, text in rates if "[" not in text} <= {"certified: answered", "certified: right"}


def test_where_the_controls_do_as_much_no_attack_is_named(store, add):
    add({"outcome": lost(3)}, attack="clean", access="none")
    add({"outcome": lost(3)})
    alone = standings(measured(store, variants(store.cells())))
    assert by_access(alone).lines[0][3] == by_access(alone).lines[0][5] == "none beats the controls"
    assert "none beats the controls" in standing_text(alone[0])


def test_the_text_of_one_target_has_a_line_an_access(two):
    lines = [re.split(r"  +", line.strip()) for line in standing_text(two[1]).splitlines()]
    assert lines[0] == ["toy-sigma0.50 keeps answering · ε = 0.5 · n = 1,000, α = 0.001 · 10 images"]
    assert lines[3] == ["clean", "90.0% [55.5, 99.7]", "90.0% [55.5, 99.7]"]
    assert lines[4] == ["strongest of white-box", "60.0% [22.8, 90.1]", "margin", "60.0% [22.8, 90.1]", "margin"]
    assert [line[0] for line in lines[5:]] == [
        "strongest of score",
        "strongest of all",
        "every attack",
        "certified at least",
    ]
    assert lines[-1][1:] == ["50.0%", "50.0%"]


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


def test_targets_beyond_the_colours_are_grey_and_counted(store, add):
    for i in range(len(PALETTE) + 2):
        add({"outcome": lost(9 - i // 2)}, target=f"t{9 - i}")
    picture = svg(standings(measured(store, variants(store.cells()))))
    assert picture is not None
    words = texts(picture)
    assert [word for word in words if word[1:].isdigit()] == [f"t{i}" for i in range(8)]
    assert "2 after these in rank" in words
    # Of each of the two a ring, a disc, a square and the line through them; of all in the legend a disc.
    assert picture.count(GREY) == 2 * (1 + 2 + 1 + 1) + 2
    assert all(picture.count(colour) == 7 for colour in PALETTE[:-2])
