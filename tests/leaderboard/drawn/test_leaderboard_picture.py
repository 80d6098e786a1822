from __future__ import annotations

import pytest
from leaderboard_data import texts

from leaderboard import rows
from leaderboard.drawn.picture import svg


def test_picture_shows_the_largest_budget_of_every_target(board):
    shown = texts(svg(rows(board)))
    assert "Abstention forced at ε = 1.0 (n = 1,000, α = 0.001)" in shown
    for text in (
        "toy-sigma0.50",
        "toy-sigma1.00",
        "odd|name",
        "failed",
        "60.0%",
        "0.0%*",
        "psychic",
        "control",
    ):
        assert text in shown


@pytest.mark.parametrize("targets", [1, 2, 5])
def test_picture_of_any_number_of_targets(store, add, targets):
    for sigma in range(targets):
        add(target=f"t<{sigma}>&", sigma=sigma, attack="a-very-long-name-for-an-attack")
    shown = texts(svg(rows(store)))
    assert [text for text in shown if text.startswith("t<")] == [f"t<{sigma}>&" for sigma in range(targets)]


def test_picture_when_everything_failed(store, fail):
    fail()
    assert "failed" in texts(svg(rows(store)))


def test_picture_shows_the_largest_budget_at_which_the_ceiling_says_something(store, add):
    for epsilon, ceiling in ((0.25, 0.2), (0.5, 0.6), (1.0, 1.0)):
        add({"ceiling": ceiling}, epsilon=epsilon)
    assert any("ε = 0.5" in text for text in texts(svg(rows(store))))


def test_picture_falls_back_on_the_largest_budget_where_no_ceiling_does(store, add):
    for epsilon in (0.25, 1.0):
        add({"ceiling": 1.0}, epsilon=epsilon)
    assert any("ε = 1.0" in text for text in texts(svg(rows(store))))
