"""Paired tests against the clean row, net shares and vacuous rows, on records whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from leaderboard import bootstrap, rows
from leaderboard.statistics import holm, mcnemar


def lost(*images: int, count: int = 10) -> list[int]:
    """Right answers to so many images but these."""
    return [-1 if image in images else image % 10 for image in range(count)]


def by_attack(store):
    return {row["attack"]: row for row in rows(store)}


def test_an_attack_is_paired_with_the_clean_row_where_the_board_has_it(store, add):
    # On its own clean columns image 0 abstains; on the attack's noise image 9 does.
    columns = {"clean_outcome": lost(0), "ceiling": 0.8}
    add({"outcome": lost(9), **columns}, attack="clean", access="none")
    add({"outcome": lost(0, 1, 2, 9), **columns}, attack="margin")
    found = by_attack(store)
    assert found["margin"]["mcnemar_against"] == "clean row"
    assert found["margin"]["mcnemar_p"] == mcnemar(3, 0)
    assert found["margin"]["net_share"] == pytest.approx((0.4 - 0.1) / (0.8 - 0.1))
    # The clean row itself is paired with the columns: what differs is noise.
    assert found["clean"]["mcnemar_against"] == "clean columns"
    assert found["clean"]["mcnemar_p"] == mcnemar(1, 1)
    assert found["clean"]["mcnemar_holm"] is None


def test_without_a_clean_row_of_all_its_images_an_attack_is_paired_with_the_columns(store, add):
    add({"outcome": lost(0, count=5)}, attack="clean", access="none", images=list(range(5)), of=[10])
    add({"outcome": lost(0, 1), "clean_outcome": lost(0)}, attack="margin", of=[10])
    row = by_attack(store)["margin"]
    assert row["mcnemar_against"] == "clean columns"
    assert row["mcnemar_p"] == mcnemar(1, 0)


def test_a_row_with_a_ceiling_of_one_on_every_image_is_vacuous(store, add):
    add({"outcome": lost(0), "ceiling": 1 - 2e-16}, attack="margin")
    add({"outcome": lost(0), "ceiling": [0.99] + [1.0] * 9}, attack="apgd")
    found = by_attack(store)
    assert found["margin"]["vacuous"] is True
    assert [found["margin"][name] for name in ("net_share", "net_share_low", "net_share_high")] == [None] * 3
    assert found["margin"]["share_of_ceiling"] == pytest.approx(0.1)  # as ever
    assert found["apgd"]["vacuous"] is False
    assert found["apgd"]["net_share"] == pytest.approx(0.1 / 0.999)


def test_a_failed_row_has_no_evidence(store, fail):
    fail(attack="margin")
    row = by_attack(store)["margin"]
    assert [row["mcnemar_p"], row["mcnemar_against"], row["vacuous"], row["net_share"]] == [None] * 4


def test_p_values_are_adjusted_within_their_table(store, add):
    for epsilon in (0.5, 1.0):
        add({}, attack="clean", access="none", epsilon=epsilon)
        add({"outcome": lost(*range(9))}, attack="apgd", epsilon=epsilon)
        add({"outcome": lost(*range(6))}, attack="margin", epsilon=epsilon)
    for row in rows(store):
        if row["attack"] == "apgd":
            assert row["mcnemar_holm"] == pytest.approx(2 * mcnemar(9, 0))
        if row["attack"] == "margin":
            assert row["mcnemar_holm"] == pytest.approx(mcnemar(6, 0))


def test_holm_multiplies_by_how_many_are_left_and_never_falls():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_bootstrap_draws_images_evenly_and_always_the_same():
    counts = bootstrap.counts(40)
    assert counts.shape == (bootstrap.RESAMPLES, 40)
    assert (counts.sum(1) == 40).all()
    assert counts.mean(0) == pytest.approx(np.ones(40), abs=0.1)
    assert counts[0].tolist() == bootstrap.counts(40)[0].tolist()
    # Drawn from raw 64-bit numbers, which no release of NumPy may change.
    assert counts[0, :8].astype(int).tolist() == FIRST


FIRST = [1, 1, 2, 2, 0, 2, 0, 1]


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation():
    values = np.arange(400) % 2
    low, high = bootstrap.interval(lambda means: means[:, 0], values) or (0, 0)
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.004)


def test_a_figure_that_is_mostly_undefined_has_no_interval():
    assert bootstrap.interval(lambda means: np.full(len(means), np.nan), [1.0, 2.0]) is None
