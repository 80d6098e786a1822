"""Costs are counted by image, and no query over the budget is answered."""

from __future__ import annotations

import pytest

from attacks import BudgetExhausted, Meter


def test_an_image_is_charged_as_often_as_it_is_named():
    ticks = []
    meter = Meter(3, tick=lambda: ticks.append(1))
    meter.charge([2, 0, 2], queries=1, forward=100)
    meter.charge([1], backward=5)
    assert meter.queries.tolist() == [1, 0, 2]
    assert meter.forward.tolist() == [100, 0, 200]
    assert meter.backward.tolist() == [0, 5, 0]
    assert len(ticks) == 2


def test_queries_over_the_budget_of_one_image_charge_none():
    meter = Meter(2, query_budget=2)
    meter.charge([0, 1], queries=1, forward=10)
    with pytest.raises(BudgetExhausted, match="the budget of 2 queries for each image is spent"):
        meter.charge([0, 1, 1], queries=1, forward=10)
    assert meter.queries.tolist() == [1, 1]
    assert meter.forward.tolist() == [10, 10]


def test_an_absent_gradient_counts_as_zero():
    meter = Meter(2)
    meter.observe([1, 1], None)
    assert meter.observed() == {
        "gradients": 2,
        "zero_gradients": 2,
        "broken_gradients": 0,
        "images_asked": 1,
        "images_blind": 1,
    }
