"""The defender's side on records whose rates are known in closed form."""

from __future__ import annotations

import json

import pytest

from leaderboard.availability import ANY, Standing, right_under_all, standings
from leaderboard.board import measured
from leaderboard.statistics import clopper_pearson, mcnemar
from leaderboard.variants import variants

IMAGES = list(range(10))
"""Their labels are 0 … 9."""


def outcomes(*abstain: int, wrong: tuple[int, ...] = ()) -> list[int]:
    """Right answers at all images but these."""
    return [-1 if image in abstain else (image + 1) % 10 if image in wrong else image for image in IMAGES]


@pytest.fixture
def write(add):
    """Writes the cell of an attack on a target, with these answers."""

    def cell(target, attack, access, answers, epsilon=1.0, query_budget=None, **columns):
        settings = {"target": target, "attack": attack, "access": access, "epsilon": epsilon}
        add({"outcome": answers, **columns}, query_budget=query_budget, **settings)

    return cell


def found(store) -> list[Standing]:
    return standings(measured(store, variants(store.cells())))


def test_answers_under_attack_are_counted_image_by_image(store, write):
    write("a", "clean", "none", outcomes(0))
    write("a", "margin", "white-box", outcomes(0, 1, 2))
    write("a", "apgd", "white-box", outcomes(2, 3, wrong=(4,)))
    write("a", "nes", "score", outcomes(5))
    [standing] = found(store)
    assert standing["clean_answered"]["rate"] == 0.9
    assert standing["clean_right"]["rate"] == 0.9
    white, score, both = standing["under_attack"]
    assert [white["access"], score["access"], both["access"]] == ["white-box", "score", ANY]
    assert [white["attacks"], score["attacks"], both["attacks"]] == [3, 2, 4]  # the control counts in each
    assert (white["answered"]["rate"], white["answered_attack"]) == (0.7, "margin")
    assert (white["right"]["rate"], white["right_attack"]) == (0.7, "apgd")  # of equals the first by name
    assert white["answered_every"]["rate"] == 0.6  # all but 0, 1, 2, 3
    assert white["right_every"]["rate"] == 0.5  # and but 4
    assert score["right_every"]["rate"] == 0.8  # all but 0, where the original abstains, and 5
    assert both["answered_every"]["rate"] == 0.5
    assert right_under_all(standing) == 0.4
    assert (both["right_every"]["low"], both["right_every"]["high"]) == clopper_pearson(4, 10)


def test_a_control_is_not_called_the_strongest_attack_of_an_access(store, write):
    write("a", "clean", "none", outcomes(0))
    write("a", "gaussian", "none", outcomes(0, 1))
    write("a", "apgd", "white-box", outcomes(0, 2))  # as many answers as under `gaussian`
    write("a", "nes", "score", outcomes(0))
    write("a", "square", "score", outcomes(0, 1, wrong=(2,)))  # as many answers, and fewer right ones
    [standing] = found(store)
    white, score, both = standing["under_attack"]
    assert (white["answered"]["rate"], white["answered_attack"], white["right_attack"]) == (0.8, None, None)
    assert (score["answered"]["rate"], score["answered_attack"]) == (0.8, None)
    assert (score["right"]["rate"], score["right_attack"]) == (0.7, "square")
    assert (both["answered_attack"], both["right_attack"]) == (None, "square")


def test_the_interval_of_the_lowest_rate_holds_for_all_attacks_together(store, write):
    write("a", "margin", "white-box", outcomes(0, 1, 2))
    write("a", "apgd", "white-box", outcomes(0, 1))
    [standing] = found(store)
    answered = standing["under_attack"][0]["answered"]
    assert answered["rate"] == 0.7
    assert (answered["low"], answered["high"]) == clopper_pearson(7, 10, 1 - 0.05 / 2)


def test_what_is_certified_needs_a_certified_label_that_is_right(store, write):
    ceiling = [0.0, 0.2, 0.4, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    label = [0, 1, 7, 3, -1, 5, 6, 7, 8, 9]  # image 2: of another class; image 4: none
    write("a", "margin", "white-box", outcomes(), ceiling=ceiling, certified_label=label)
    [standing] = found(store)
    assert standing["certified_answered"] == pytest.approx(1 - sum(ceiling) / 10)
    assert standing["certified_right"] == pytest.approx((1.0 + 0.8 + 0.0 + 5 * 0.5) / 10)


def test_targets_are_ranked_by_right_answers_under_every_attack_and_compared_with_the_first(store, write):
    for target, lost in (("a", (0, 1, 2, 3)), ("b", (0,)), ("c", (0, 1))):
        write(target, "margin", "white-box", outcomes(*lost))
    first, second, third = found(store)
    assert [one["target"] for one in (first, second, third)] == ["b", "c", "a"]
    assert [one["rank"] for one in (first, second, third)] == [1, 2, 3]
    assert first["behind_first"] is None
    behind = third["behind_first"]
    assert behind is not None
    assert behind["difference"] == pytest.approx(0.3)
    assert behind["mcnemar_p"] == mcnemar(3, 0)
    assert 0.0 <= behind["low"] < 0.3 < behind["high"] <= 0.7


def test_a_target_that_lacks_an_attack_of_its_table_has_no_rank(store, write):
    write("a", "margin", "white-box", outcomes(0, 1))
    write("a", "nes", "score", outcomes(0))
    write("b", "margin", "white-box", outcomes())
    first, last = found(store)
    assert (first["target"], first["rank"], first["missing"]) == ("a", 1, [])
    assert (last["target"], last["rank"], last["missing"]) == ("b", None, ["nes"])
    assert last["behind_first"] is None


def test_each_epsilon_is_a_table_of_its_own_and_only_the_largest_budget_counts(store, write):
    write("a", "nes", "score", outcomes(0, 1, 2), query_budget=10)
    write("a", "nes", "score", outcomes(0), query_budget=30)
    write("a", "nes", "score", outcomes(), epsilon=0.5, query_budget=30)
    small, large = found(store)
    assert (small["epsilon"], large["epsilon"]) == (0.5, 1.0)
    assert right_under_all(large) == 0.9
    assert json.loads(json.dumps([small, large], allow_nan=False)) == [small, large]


def test_a_target_whose_rows_all_failed_has_no_standing(store, fail):
    fail(target="a")
    assert found(store) == []
