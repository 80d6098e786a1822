from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from targets.binomial import always_abstains, decide, largest_loser, p_value, smallest_sufficient, top_two

ABSTAIN = -7


@pytest.fixture(scope="module")
def scipys() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pair of counts a ≥ b with a + b ≤ 200, and SciPy's p-value of each."""
    pairs = [(a, b) for b in range(101) for a in range(b, 201 - b) if a]
    values = [binomtest(a, a + b, 0.5).pvalue for a, b in pairs]
    a, b = np.array(pairs).T
    return a, b, np.array(values)


def test_p_value_is_scipys_for_every_pair_of_counts_up_to_200(scipys):
    a, b, expected = scipys
    np.testing.assert_allclose(p_value(a, b), expected, rtol=1e-11)
    np.testing.assert_array_equal(p_value(b, a), p_value(a, b))


@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_decide_is_scipys_decision_for_every_pair_of_counts_up_to_200(scipys, alpha):
    a, b, values = scipys
    assert np.abs(values - alpha).min() > 1e-9  # no pair so near that rounding could decide
    expected = values <= alpha
    assert 0 < expected.sum() < len(expected)
    np.testing.assert_array_equal(decide(np.stack([a, b], 1), alpha, ABSTAIN), np.where(expected, 0, ABSTAIN))
    np.testing.assert_array_equal(decide(np.stack([b, a], 1), alpha, ABSTAIN), np.where(expected, 1, ABSTAIN))


def test_p_value_of_no_votes_and_of_very_many():
    assert p_value(0, 0) == 1.0
    assert p_value(10, 0) == 2 * 0.5**10
    assert p_value(50_521, 49_479) == pytest.approx(binomtest(50_521, 100_000, 0.5).pvalue, rel=1e-9)
    assert 0 < p_value(1000, 0) < 1e-300


@pytest.mark.parametrize("alpha", [1e-6, 0.001, 0.01, 0.05, 0.5, 0.999])
def test_largest_loser_by_brute_force(alpha):
    expected = []
    for m in range(201):
        k = np.arange(m // 2 + 1)
        rejected = k[np.minimum(1.0, 2 * binom.cdf(k, m, 0.5)) <= alpha]
        expected.append(rejected.max() if len(rejected) else -1)
    np.testing.assert_array_equal(largest_loser(200, alpha), expected)
    for n in range(200):
        np.testing.assert_array_equal(largest_loser(n, alpha), expected[: n + 1])


def test_largest_loser_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        largest_loser(20, 0.001)[0] = 5


@pytest.mark.parametrize(("n", "smallest"), [(100, 67), (1000, 553), (10_000, 5166), (100_000, 50_521)])
def test_the_smallest_count_that_answers_is_the_reference_s(n, smallest):
    assert n - largest_loser(n, 0.001)[n] == smallest
    assert decide([[smallest, n - smallest], [smallest - 1, n - smallest + 1]], 0.001, ABSTAIN).tolist() == [0, ABSTAIN]


@pytest.mark.parametrize(("alpha", "n"), [(0.001, 11), (0.05, 6), (0.5, 2), (0.6, 2), (2 * 0.5**8, 8)])
def test_smallest_sufficient(alpha, n):
    assert smallest_sufficient(alpha) == n
    assert always_abstains(n - 1, alpha)
    assert not always_abstains(n, alpha)


def test_top_two_breaks_ties_towards_the_lower_class():
    votes = [[3, 9, 9, 1], [5, 5, 5, 5], [0, 1, 7, 7], [9, 2, 1, 2], [0, 0, 0, 4]]
    first, first_count, second, second_count = top_two(votes)
    assert first.tolist() == [1, 0, 2, 0, 3]
    assert second.tolist() == [2, 1, 3, 1, 0]
    assert first_count.tolist() == [9, 5, 7, 9, 4]
    assert second_count.tolist() == [9, 5, 7, 2, 0]


def test_decide_compares_the_top_two_of_many_classes():
    votes = [[4, 0, 60, 36], [4, 0, 67, 29], [40, 40, 10, 10], [30, 2, 2, 2]]
    assert decide(votes, 0.001, ABSTAIN).tolist() == [ABSTAIN, 2, ABSTAIN, 0]


def test_a_p_value_equal_to_alpha_answers():
    assert decide([[8, 0]], 2 * 0.5**8, ABSTAIN).tolist() == [0]


def test_no_votes_at_all():
    assert decide(np.zeros((0, 10), dtype=np.int64), 0.001, ABSTAIN).shape == (0,)
    assert decide(np.zeros((2, 10), dtype=np.int64), 0.001, ABSTAIN).tolist() == [ABSTAIN, ABSTAIN]
