from __future__ import annotations

import json
from pathlib import Path

import pytest

from leaderboard import matrices, rows
from leaderboard.drawn.matrix import BOLD, PLAIN

PUBLISHED = Path(__file__).parents[3] / "leaderboard" / "published"


@pytest.fixture
def small(store, add):
    """Two targets, a white-box attack that wins, one that a part of the images saw, and a control."""
    for sigma, rate in ((0.25, 3), (0.5, 6)):
        target = f"toy-sigma{sigma:.2f}-bf16"
        for attack, access, abstained in (("margin", "white-box", rate), ("cw", "white-box", 1), ("clean", "none", 0)):
            outcome = [-1] * abstained + [0] * (10 - abstained)
            add({"outcome": outcome, "ceiling": 0.8}, target=target, sigma=sigma, attack=attack, access=access)
    return store


def lines(text: str) -> dict[str, str]:
    return {line.split("  ")[0 if line[0] != " " else 1]: line for line in text.splitlines() if line.strip()}


def test_attacks_stand_under_their_access_strongest_first_with_the_upper_bound_below(small):
    text = matrices(rows(small))
    names = [line.rstrip().split("  ")[0] or "  " + line.split()[0] for line in text.splitlines()[4:]]
    assert names == ["white-box", "  margin", "  cw", "control", "  clean", "upper bound"]
    assert text.splitlines()[2].split() == ["toy-…-bf16", "sigma0.25", "sigma0.50"]
    assert lines(text)["margin"].split() == ["margin", "30.0", "[7,", "65]", "60.0", "[26,", "88]"]
    assert lines(text)["upper bound"].split() == ["upper", "bound", "80.0", "80.0"]
    assert "ε = 1.0" in text
    assert "10 images" in text
    assert "\033" not in text


def test_the_best_of_an_access_is_bold_where_the_terminal_can_and_controls_never_are(small):
    text = matrices(rows(small), bold=True)
    assert text.count(BOLD) == text.count(PLAIN) == 2
    assert BOLD not in lines(text)["clean"]
    assert BOLD not in lines(text)["cw"]


def test_what_is_new_is_marked(small):
    text = matrices(rows(small), {("toy-sigma0.50-bf16", "cw")})
    assert text.count("+") == 1
    assert "+10.0 [0, 45]" in lines(text)["cw"]


def test_failed_and_partial_rows_say_so(small, add, fail):
    fail(target="toy-sigma0.25-bf16", attack="broken", access="score")
    add({"outcome": -1}, [4], target="toy-sigma0.50-bf16", attack="short", access="score", images=[0, 1])
    text = matrices(rows(small))
    assert lines(text)["broken"].split() == ["broken", "failed"]
    assert "100.0* [16, 100]" in lines(text)["short"]
    assert text.splitlines()[-1] == "broken failed: RuntimeError: no | luck"


@pytest.mark.parametrize("width", [40, 60, 90, 200])
def test_no_line_is_wider_than_the_screen(width: int):
    found = json.loads((PUBLISHED / "digits" / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    blocks = matrices(found, width=width).split("\n\n")
    title, tables = blocks[0], blocks[1:]
    assert "digits" in title
    assert len(tables) == {40: 4, 60: 2, 90: 1, 200: 1}[width]
    assert all(len(line) <= max(width, 42) for table in tables for line in table.splitlines())


def test_no_rows_are_no_matrix():
    assert matrices([]) == ""
