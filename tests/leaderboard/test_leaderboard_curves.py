from __future__ import annotations

import json

import pytest

from leaderboard import rows
from leaderboard.curves import emphasised, epsilon_panels, query_panels, telling
from leaderboard.statistics import clopper_pearson

HALF = [-1] * 5 + [5, 6, 7, 8, 9]


def names(panel):
    return [curve["attack"] for curve in panel["curves"]]


def test_a_security_curve_begins_at_the_clean_rate_below_the_ceiling(store, add, fail):
    clean = [-1, *range(1, 10)]
    for epsilon, outcome, ceiling in ((1.0, -1, 1.0), (0.25, HALF, 0.6)):
        add({"outcome": outcome, "clean_outcome": clean, "ceiling": ceiling}, epsilon=epsilon)
    add({"clean_outcome": clean, "ceiling": 1.0}, attack="clean", access="none")
    add({"outcome": -1}, attack="partial", epsilon=0.25, images=[0, 1])
    fail(attack="broken", epsilon=0.25)
    add(target="one-epsilon")
    [panel] = epsilon_panels(rows(store))
    json.dumps(panel, allow_nan=False)
    assert (panel["target"], panel["epsilon"], panel["images"]) == ("toy-sigma0.50", None, 10)
    low, high = clopper_pearson(1, 10)
    assert (panel["clean_abstention_rate"], panel["clean_low"], panel["clean_high"]) == (0.1, low, high)
    ceilings = [(proof["epsilon"], proof["ceiling"]) for proof in panel["ceiling"]]
    assert ceilings == [(0.25, pytest.approx(0.6)), (1.0, 1.0)]
    assert names(panel) == ["margin", "clean"]
    points = panel["curves"][0]["points"]
    assert [(point["epsilon"], point["abstention_rate"]) for point in points] == [(0, 0.1), (0.25, 0.5), (1, 1)]
    assert (points[0]["abstention_low"], points[0]["abstention_high"]) == (low, high)
    assert [point["share_of_ceiling"] for point in points] == [None, pytest.approx(5 / 6), 1.0]


def test_of_budgets_at_equally_many_epsilons_a_security_curve_has_the_largest(store, add):
    for budget, outcome in ((10, HALF), (300, -1)):
        for epsilon in (0.5, 1.0):
            add({"outcome": outcome}, attack="zoo", access="score", epsilon=epsilon, query_budget=budget)
    [panel] = epsilon_panels(rows(store))
    assert [point["query_budget"] for point in panel["curves"][0]["points"]] == [None, 300, 300]
    assert panel["curves"][0]["points"][-1]["abstention_rate"] == 1.0


def test_a_security_curve_has_one_budget_throughout(store, add):
    for epsilon in (0.5, 1.0, 2.0):
        for budget in (10, 30):
            add({"outcome": HALF}, attack="zoo", access="score", epsilon=epsilon, query_budget=budget)
    add({"outcome": -1}, attack="zoo", access="score", epsilon=1.0, query_budget=300)
    [panel] = epsilon_panels(rows(store))
    assert [point["query_budget"] for point in panel["curves"][0]["points"]] == [None, 30, 30, 30]


def test_a_row_left_out_for_its_budget_keeps_its_ceiling_on_the_panel(store, add):
    add({"ceiling": 0.6}, attack="zoo", access="score", epsilon=0.5, query_budget=10)
    add({"ceiling": 0.9}, attack="zoo", access="score", epsilon=1.0, query_budget=30)
    [panel] = epsilon_panels(rows(store))
    assert [(proof["epsilon"], proof["ceiling"]) for proof in panel["ceiling"]] == [
        (0.5, pytest.approx(0.6)),
        (1.0, pytest.approx(0.9)),
    ]
    assert [point["epsilon"] for point in panel["curves"][0]["points"]] == [0, 1.0]


def test_curves_against_queries(store, add):
    for budget, outcome in ((100, -1), (10, range(10)), (30, HALF)):
        add({"outcome": outcome, "queries": budget - 1}, attack="zoo", access="score", query_budget=budget)
        add({"outcome": -1}, attack="best-of score", access="score", query_budget=budget)
    add({"outcome": -1}, attack="zoo", access="score")  # no limit is no place on the axis
    add({"outcome": -1}, attack="one-budget", access="decision", query_budget=30)
    add({"outcome": -1})
    add(attack="zoo", access="score", epsilon=0.5, query_budget=10)
    [panel] = query_panels(rows(store))
    assert (panel["epsilon"], names(panel)) == (1.0, ["zoo"])
    assert panel["ceiling"] == [{"epsilon": 1.0, "ceiling": 0.5}]
    points = [
        (point["query_budget"], point["queries_mean"], point["abstention_rate"])
        for point in panel["curves"][0]["points"]
    ]
    assert points == [(10, 9.0, 0.0), (30, 29.0, 0.5), (100, 99.0, 1.0)]


def test_an_ensemble_is_emphasised_and_an_attack_with_few_points_is_not(store, add):
    for epsilon in (0.5, 1.0):
        add({"outcome": HALF}, epsilon=epsilon)
        add({"outcome": -1}, attack="cw-transfer", access="transfer", epsilon=epsilon)
        add({"outcome": HALF}, attack="best-of transfer", access="transfer", epsilon=epsilon)
        add(attack="clean", access="none", epsilon=epsilon)
    add({"outcome": -1}, attack="once")
    [panel] = epsilon_panels(rows(store))
    assert {curve["access"]: curve["attack"] for curve in emphasised(panel)} == {
        "white-box": "margin",
        "transfer": "best-of transfer",
    }


def test_the_picture_is_of_the_suite_with_the_most_points(store, add):
    for epsilon in (0.5, 1.0):
        add(suite="board", target="t1", epsilon=epsilon)
        add(suite="board", target="t2", epsilon=epsilon)
    for epsilon in (0.5, 1.0, 2.0):
        add(suite="curves", target="t1", epsilon=epsilon)
    panels = epsilon_panels(rows(store))
    assert len(panels) == 3
    assert [panel["suite"] for panel in telling(panels)] == ["curves"]
