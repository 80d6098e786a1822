from __future__ import annotations

import pytest
from scipy.stats import binom, binomtest, fisher_exact

from leaderboard.statistics import binomial_quantile, clopper_pearson, exceeds, holm, mcnemar, rate, sum_quantile


def test_rate():
    assert rate(1, 4) == 0.25
    assert rate(0, 0) is None


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_clopper_pearson_is_scipys(n, confidence):
    for k in {0, 1, n // 3, n - 1, n}:
        low, high = binomtest(k, n).proportion_ci(confidence, "exact")
        assert clopper_pearson(k, n, confidence) == pytest.approx((low, high), abs=1e-12)


def test_clopper_pearson_at_its_edges():
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert clopper_pearson(0, 20)[0] == 0.0
    assert clopper_pearson(20, 20)[1] == 1.0
    with pytest.raises(ValueError, match="5 hits in 4 trials"):
        clopper_pearson(5, 4)


def test_mcnemar_is_the_exact_binomial_test():
    for b in range(12):
        for c in range(12):
            expected = binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
            assert mcnemar(b, c) == pytest.approx(expected, abs=1e-12), (b, c)


def test_mcnemar_of_a_large_difference_stays_positive():
    assert 0 < mcnemar(900, 3) < 1e-200


@pytest.mark.parametrize(("n", "p"), [(1, 0.002), (1000, 0.002), (10_000, 0.002), (10, 1.0)])
def test_binomial_quantile_by_brute_force(n, p):
    expected = next(k for k in range(n + 1) if sum(binom.pmf(i, n, p) for i in range(k + 1)) >= 0.999)
    assert binomial_quantile(0.999, n, p) == expected


def test_binomial_quantile_at_its_edges():
    assert binomial_quantile(0.999, 0, 0.5) == 0
    assert binomial_quantile(0.999, 5, 1.8) == 5


def test_quantile_of_a_sum_is_that_of_the_exact_density():
    trials = {0.002: 300, 0.2: 40, 1.5: 2}  # the last happens always
    exact = {
        total: sum(binom.pmf(k, 300, 0.002) * binom.pmf(total - 2 - k, 40, 0.2) for k in range(total - 1))
        for total in range(2, 60)
    }
    expected = next(k for k in exact if sum(exact[i] for i in range(2, k + 1)) >= 0.999)
    assert sum_quantile(0.999, trials) == expected
    assert sum_quantile(0.999, {0.002: 1000}) == binomial_quantile(0.999, 1000, 0.002)
    assert sum_quantile(0.999, {}) == 0


@pytest.mark.parametrize(("k", "n", "other_k", "other_n"), [(9, 12, 0, 12), (3, 50, 7, 40), (0, 5, 0, 5), (5, 5, 5, 5)])
def test_exceeds_is_fishers_exact_test(k, n, other_k, other_n):
    table = [[k, n - k], [other_k, other_n - other_k]]
    assert exceeds(k, n, other_k, other_n) == pytest.approx(fisher_exact(table, "greater").pvalue)


def test_exceeds_tells_the_lady_who_tasted_tea():
    assert exceeds(3, 4, 1, 4) == pytest.approx(17 / 70)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
