"""Costs at the sequential predictor, of measurements whose figures are known in closed form."""

from __future__ import annotations

import pytest

from leaderboard.availability import standings
from leaderboard.board import measured
from leaderboard.bootstrap import interval
from leaderboard.sequential import costs, tables
from leaderboard.statistics import clopper_pearson
from leaderboard.stored.sequential import Drawn
from leaderboard.variants import variants

CLEAN = [100] * 8 + [200, 1000]
"""Samples of ten originals: 200 on average. The last one is not answered."""


def drawn(key: str, samples: list[int], clean: list[int] | None = None, most: int = 1000) -> Drawn:
    clean = CLEAN[: len(samples)] if clean is None else clean
    outcome, clean_outcome = ([-1 if one == most else 3 for one in taken] for taken in (samples, clean))
    return Drawn(key, most, 0.001, outcome, samples, clean_outcome, clean)


@pytest.fixture
def found(store):
    def make(*measurements: Drawn):
        return costs(variants(store.cells()), measurements)

    return make


def test_a_row_s_cost_is_that_of_its_images_beside_their_originals(add, found):
    samples = [300] * 5 + [500] * 3 + [1000, 1000]
    [cost] = found(drawn(add(), samples))
    assert (cost["samples"]["mean"], cost["clean_samples"]["mean"], cost["times"]["mean"]) == (500, 200, 2.5)
    assert (cost["abstained"]["rate"], cost["clean_abstained"]["rate"]) == (0.2, 0.1)
    assert (cost["abstained"]["low"], cost["abstained"]["high"]) == clopper_pearson(2, 10)
    assert (cost["samples"]["low"], cost["samples"]["high"]) == interval(lambda means: means[:, 0], samples)
    paired = interval(lambda means: means[:, 0] / means[:, 1], samples, CLEAN)
    assert (cost["times"]["low"], cost["times"]["high"]) == paired
    assert (cost["most"], cost["level"], cost["n"], cost["attack"]) == (1000, 0.001, 1000, "margin")


def test_shards_in_another_order_change_nothing(add, found):
    whole = found(drawn(add(suite="whole"), list(range(100, 110))))
    early, late = add(images=[0, 1, 2, 3, 4]), add(images=[5, 6, 7, 8, 9])
    parts = [drawn(late, list(range(105, 110)), CLEAN[5:]), drawn(early, list(range(100, 105)))]
    [of_shards] = found(*parts)
    assert {**whole[0], "suite": "toy"} == of_shards


def test_a_row_with_a_shard_that_was_not_measured_has_no_cost(add, found):
    key, _ = add(images=[0, 1, 2, 3, 4]), add(images=[5, 6, 7, 8, 9])
    assert found(drawn(key, [100] * 5), drawn("gone", [100] * 5)) == []


def test_re_evaluated_rows_have_none(add, found):
    key = add(landed_for={"n": 100, "alpha": 0.001, "seed": 0}, origin="cell")
    assert found(drawn(key, [100] * 10)) == []


def test_a_table_names_the_costliest_attack_of_all_and_of_each_access_in_the_order_of_the_standings(store, add, found):
    keys = {}
    for target, lost in (("a", 4), ("b", 2)):
        of_target = {"target": target, "of": [10]}
        keys[target, "clean"] = add({}, attack="clean", access="none", **of_target)
        keys[target, "gaussian"] = add({}, attack="gaussian", access="none", **of_target)
        keys[target, "margin"] = add({"outcome": [-1] * lost + list(range(lost, 10))}, **of_target)
        keys[target, "apgd"] = add({}, attack="apgd", **of_target)
        for budget in (30, 100):
            keys[target, f"nes {budget}"] = add({}, attack="nes", access="score", query_budget=budget, **of_target)
    samples = {"clean": 200, "gaussian": 210, "margin": 400, "apgd": 300, "nes 30": 900, "nes 100": 700}
    measurements = [
        drawn(key, [samples[attack]] * 10 if attack != "clean" else CLEAN)
        for (target, attack), key in keys.items()
        if (target, attack) != ("a", "apgd")
    ]
    standing = standings(measured(store, variants(store.cells())))
    [table] = tables(standing, found(*measurements))
    assert (table.most, table.level, table.accesses) == (1000, 0.001, ["white-box", "score"])
    first, second = table.lines
    assert [first.target, second.target] == [one["target"] for one in standing] == ["b", "a"]
    assert (first.missing, second.missing) == ([], ["apgd"])
    assert first.costliest is not None
    # Of the two query budgets the larger counts, though the smaller took more.
    assert (first.costliest["attack"], first.costliest["query_budget"]) == ("nes", 100)
    assert {access: cost["attack"] for access, cost in first.by_access.items()} == {
        "white-box": "margin",
        "score": "nes",
    }
    assert (first.clean["attack"], first.clean["clean_samples"]["mean"]) == ("clean", 200)


def test_each_setting_of_the_predictor_has_a_table_of_its_own(store, add, found):
    key = add(attack="clean", access="none")
    standing = standings(measured(store, variants(store.cells())))
    both = tables(standing, found(drawn(key, CLEAN), drawn(key, CLEAN, most=5000)))
    assert [table.most for table in both] == [1000, 5000]
    assert [line.costliest for table in both for line in table.lines] == [None, None]
    assert tables(standing, []) == []
