"""Paired comparison, against SciPy, published figures and exact values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest

from leaderboard.paired import Paired, paired, wilson


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (17, 200)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_is_scipys(k: int, n: int, confidence: float):
    expected = binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert wilson(k, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (7, 1), (5, 5), (0, 30)])
def test_p_is_the_exact_binomial_test_of_the_discordant_pairs(b: int, c: int):
    expected = binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert Paired(10, c, b, 10).p == pytest.approx(expected, rel=1e-12)


def test_the_interval_is_newcombes():
    # Newcombe (1998), table II, method 10: 36, 12, 2 and 0 pairs, difference 0.2.
    assert Paired(36, 2, 12, 0).interval() == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_swapping_the_two_swaps_signs():
    a, b = Paired(20, 3, 9, 18), Paired(20, 9, 3, 18)
    assert a.difference == -b.difference
    assert a.interval() == pytest.approx([-end for end in reversed(b.interval())])
    assert a.p == b.p


@pytest.mark.parametrize("cells", [(0, 0, 0, 5), (5, 0, 0, 0), (0, 5, 0, 0), (0, 0, 5, 0), (1, 0, 0, 0)])
def test_where_one_outcome_is_the_same_everywhere_the_interval_holds_the_difference(cells: tuple[int, ...]):
    found = Paired(*cells)
    low, high = found.interval()
    assert -1 <= low <= found.difference <= high <= 1


def test_the_interval_covers_as_often_as_it_says():
    """Exactly, over all outcomes of 25 pairs: the mean over several truths, and each not far below."""
    n, covered = 25, []
    outcomes = [(a, b, c, n - a - b - c) for a, b, c in itertools.product(range(n + 1), repeat=3) if a + b + c <= n]
    logs = np.cumsum(np.log(np.maximum(np.arange(n + 1), 1)))
    counts = np.array(outcomes)
    intervals = np.array([Paired(*cells).interval() for cells in outcomes])
    for p in [(0.1, 0.05, 0.25, 0.6), (0.4, 0.1, 0.1, 0.4), (0.02, 0.02, 0.1, 0.86), (0.3, 0.05, 0.3, 0.35)]:
        density = np.exp(logs[n] - logs[counts].sum(1) + counts @ np.log(p))
        assert density.sum() == pytest.approx(1)
        truth = p[2] - p[1]
        covered.append(float(density[(intervals[:, 0] <= truth) & (truth <= intervals[:, 1])].sum()))
    assert min(covered) > 0.93
    assert 0.94 < float(np.mean(covered)) < 0.98


def test_pairs_are_counted():
    found = paired([True, True, False, False, False], [True, False, True, True, False])
    assert found == Paired(both=1, only_a=1, only_b=2, neither=1)
    assert (found.rate_a, found.rate_b, found.difference, found.images) == (0.4, 0.6, pytest.approx(0.2), 5)
    for a, b in ([], []), ([True], []):
        with pytest.raises(ValueError, match="outcomes"):
            paired(a, b)
