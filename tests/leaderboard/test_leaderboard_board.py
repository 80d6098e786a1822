from __future__ import annotations

import json

import numpy as np
import pytest

from leaderboard import rows
from leaderboard.board import at_common_budget, at_largest_budget, by_strength, fullest
from leaderboard.row import UNDEFINED, Row
from leaderboard.statistics import clopper_pearson

ABSTAINS = [-1, -1, -1, 3, 4, 5, 6, 7, 8, 0]  # of the ten images 0..9: three abstain, the last is wrong


def test_statistics_of_a_row(store, add):
    add(
        {
            "outcome": ABSTAINS,
            "clean_outcome": [-1, 1, 2, 3, 4, 5, 6, 7, -1, 9],
            "validity": ["valid"] * 6 + ["not-finite", "out-of-range", "over-budget", "over-budget"],
            "changed": [True] * 5 + [False] * 5,
            "l2": [0.1, 0.2, 0.3, 0.8, 1e-5, 0.0, np.nan, 0.5, 9.0, 9.0],  # that of image 4 is rounding
            "queries": range(10),
            "ceiling": [0.5] * 5 + [0.7] * 5,
            "seconds": 2.0,
            "forward_samples": 100,
        }
    )
    [row] = rows(store)
    assert (row["rank"], row["status"], row["images"], row["error"]) == (1, "ok", 10, None)
    assert row["abstention_rate"] == 0.3
    assert (row["abstention_low"], row["abstention_high"]) == clopper_pearson(3, 10)
    assert row["clean_abstention_rate"] == 0.2
    assert row["mcnemar_p"] == 1.0  # two images gained, one lost
    assert (row["accuracy"], row["clean_accuracy"], row["confident_wrong_rate"]) == (0.6, 0.8, 0.1)
    assert (row["valid_rate"], row["not_finite"], row["out_of_range"], row["over_budget"]) == (0.6, 1, 1, 2)
    assert row["changed"] == 4
    assert row["l2_mean"] == pytest.approx(0.35)
    assert row["l2_median"] == pytest.approx(0.25)
    assert row["l2_max"] == pytest.approx(0.8)
    assert (row["queries_mean"], row["forward_samples_mean"], row["backward_samples_mean"]) == (4.5, 100, 0)
    assert row["seconds_per_image"] == 2.0
    assert row["ceiling"] == pytest.approx(0.6)
    assert row["share_of_ceiling"] == pytest.approx(0.5)
    assert row["parameters"] == {"steps": 10, "rate": 0.1}


def test_abstain_is_never_right_whatever_a_label_says(store, add):
    add({"label": -1, "outcome": [-1] * 5 + [1] * 5, "clean_outcome": -1})
    [row] = rows(store)
    assert (row["abstention_rate"], row["accuracy"], row["clean_accuracy"]) == (0.5, 0.0, 0.0)
    assert row["confident_wrong_rate"] == 0.5


def test_rows_are_safe_as_json_and_complete(store, add, fail):
    add({"ceiling": 0.0, "l2": np.nan, "validity": "not-finite"})
    fail(attack="broken")
    board = rows(store)
    json.dumps(board, allow_nan=False)
    for row in board:
        assert set(row) == (set(Row.__annotations__) | set(UNDEFINED)) - {
            *("observed", "surrogates", "landed_for", "submitted", "across_seeds")
        }
    assert board[0]["share_of_ceiling"] is None
    assert board[0]["l2_mean"] is None


def test_soundness_audit(store, add):
    add(
        {
            "certified_label": [0, 1, 2, 3, -1, 5, 6, 7, 8, 9],
            "certified_radius": 0.5,
            # 0 flips within the radius, 1 beyond it, 2 abstains, 3 keeps, 4 has no certificate;
            # 5 and 6 flip, and what was sent is the original
            "outcome": [9, 9, -1, 3, 9, 9, 9, 7, 8, 9],
            "l2": [0.4, 0.6, 0.1, 0.1, 0.1, 7.0, np.nan, 0, 0, 0],
            "changed": [True] * 5 + [False] * 5,
            "validity": ["valid"] * 5 + ["over-budget", "not-finite"] + ["valid"] * 3,
        }
    )
    [row] = rows(store)
    assert (row["flips_inside_radius"], row["certified_answers"], row["flips_allowed"]) == (3, 9, 1)
    assert row["inside_radius"] == 8  # but for the image beyond it and the one without


def test_shards_form_one_row(store, add):
    add({"outcome": -1}, images=[0, 2, 4])
    add({"outcome": [1, 3]}, images=[1, 3])
    [row] = rows(store)
    assert (row["images"], row["of_images"], row["superseded_cells"]) == (5, 5, 0)
    assert row["abstention_rate"] == pytest.approx(3 / 5)


def test_seeds_are_rows_of_their_own_and_no_part_of_each_other(store, add):
    add({"outcome": -1}, images=[0, 1, 2])
    add(images=[0], seed=1)
    board = [(row["seed"], row["abstention_rate"], row["rank"], row["status"]) for row in rows(store)]
    assert board == [(0, 1.0, 1, "ok"), (1, 0.0, 1, "ok")]


def test_only_the_given_keys(store, add):
    add({"outcome": -1}, attack="cw")
    key = add()
    assert [row["attack"] for row in rows(store, {key})] == ["margin"]
    assert rows(store, []) == []


def test_ranking(store, add, fail):
    add({"outcome": ABSTAINS}, attack="b")
    add({"outcome": ABSTAINS}, attack="a")
    add({"outcome": -1}, attack="z")
    add(attack="clean")
    fail(attack="broken")
    add({}, attack="clean", epsilon=0.5)
    add({}, attack="clean", target="another")
    board = [(row["target"], row["epsilon"], row["rank"], row["attack"]) for row in rows(store)]
    assert board == [
        ("another", 1.0, 1, "clean"),
        ("toy-sigma0.50", 0.5, 1, "clean"),
        ("toy-sigma0.50", 1.0, 1, "z"),
        ("toy-sigma0.50", 1.0, 2, "a"),
        ("toy-sigma0.50", 1.0, 3, "b"),
        ("toy-sigma0.50", 1.0, 4, "clean"),
        ("toy-sigma0.50", 1.0, None, "broken"),
    ]


def test_another_n_or_alpha_is_another_row(store, add):
    add(n=100)
    add(n=1000)
    add(n=1000, alpha=0.01)
    assert [(row["n"], row["alpha"], row["rank"]) for row in rows(store)] == [
        (100, 0.001, 1),
        (1000, 0.001, 1),
        (1000, 0.01, 1),
    ]


def test_query_budgets_are_rows_of_their_own_and_the_largest_competes(store, add, fail):
    add({"outcome": -1}, attack="square", query_budget=30)
    add({"outcome": ABSTAINS}, attack="square", query_budget=100)
    add({"outcome": -1}, attack="zoo", query_budget=300)
    add(attack="zoo")
    fail(attack="nes", query_budget=300)
    add({"outcome": -1}, attack="nes", query_budget=10)
    board = rows(store)
    assert [(row["attack"], row["query_budget"], row["rank"]) for row in board] == [
        ("nes", 10, None),
        ("square", 30, None),
        ("zoo", 300, None),
        ("square", 100, 1),
        ("zoo", None, 2),
        ("nes", 300, None),
    ]
    main = [(row["attack"], row["query_budget"]) for row in at_largest_budget(board)]
    assert main == [("square", 100), ("zoo", None), ("nes", 300)]
    assert all(row["superseded_cells"] == 0 for row in board)


def test_the_common_budget_is_that_of_most_rows_and_the_largest_of_several(store, add):
    for target in ("one", "two"):
        add(attack="level-set", target=target, query_budget=30)
        add(attack="nes", target=target, query_budget=10)
        add(attack="nes", target=target, query_budget=30)
        add(attack="clean", target=target)
    add({"outcome": -1}, attack="level-set", target="one", query_budget=100)
    found = [(row["target"], row["attack"], row["query_budget"]) for row in at_common_budget(rows(store))]
    assert sorted(found, key=str) == [
        *(("one", attack, budget) for attack, budget in (("clean", None), ("level-set", 30), ("nes", 30))),
        *(("two", attack, budget) for attack, budget in (("clean", None), ("level-set", 30), ("nes", 30))),
    ]


def test_a_failed_shard_fails_the_row(store, add, fail):
    add({"outcome": -1}, images=[0, 1])
    fail(images=[2, 3])
    [row] = rows(store)
    assert (row["status"], row["rank"], row["images"]) == ("failed", None, 2)
    assert row["error"] == "RuntimeError: no | luck"
    assert all(row[name] is None for name in UNDEFINED)


@pytest.mark.parametrize("of", [[], [3]], ids=["of versions that did not say", "as asked for"])
def test_a_row_with_fewer_images_than_its_set_is_partial(store, add, of):
    add(attack="clean", images=[0, 2], of=of)
    add(attack="clean", images=[1], of=of)
    add(attack="cw", images=[0, 2], epsilon=0.5, of=of)
    add(attack="tv", images=[0, 2], target="another", of=of)
    status = {row["attack"]: (row["status"], row["images"], row["of_images"]) for row in rows(store)}
    assert status == {"clean": ("ok", 3, 3), "cw": ("partial", 2, 3), "tv": ("partial", 2, 3)}


def test_a_cell_without_images_is_no_result(store, add):
    add(images=[])
    [row] = rows(store)
    assert (row["status"], row["error"], row["images"]) == ("failed", "no images", 0)


def test_an_empty_store_has_no_rows(store):
    assert rows(store) == []


def test_by_strength_puts_attacks_with_holes_last_but_for_best_of(store, add, fail):
    add({"outcome": -1}, attack="lucky")
    fail(attack="lucky", target="another")
    add({"outcome": ABSTAINS}, attack="steady")
    add({"outcome": ABSTAINS}, attack="steady", target="another")
    add({"outcome": -1}, attack="elsewhere")
    add(attack="clean")
    add(attack="clean", target="another")
    add({"outcome": -1}, attack="best-of white-box")
    assert by_strength(rows(store)) == ["steady", "clean", "elsewhere", "lucky", "best-of white-box"]


def test_fullest_speaks_for_the_images(store, add, fail):
    fail(attack="a")
    add(attack="b", images=[1])
    add(attack="c")
    assert fullest(rows(store))["attack"] == "c"
    assert fullest([]) is None


def test_what_was_observed_is_summed_over_the_shards(store, add):
    add(observed={"gradients": 5, "images_blind": 0}, images=[0, 1])
    add(observed={"gradients": 7, "images_blind": 2}, images=[2, 3])
    add(images=[4])  # run before there was such a thing
    assert [row["observed"] for row in rows(store)] == [{"gradients": 12, "images_blind": 2}]
