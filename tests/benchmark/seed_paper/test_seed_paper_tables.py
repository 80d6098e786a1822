"""Tables from known answers: confusion matrices, rates with their intervals, paired tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmark.seed_paper import paper
from benchmark.seed_paper.findings import Norms, Rate
from benchmark.seed_paper.tables import column, confusion, on_surrogate, paired_p, sampled_difference

CLASSES = 10
STAY = 36


def known() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, answers on originals and on an attack's images, of 10,000 images that give the paper's Table 2."""
    labels = np.arange(10_000) % CLASSES
    before, after = (labels + 1) % CLASSES, (labels + 1) % CLASSES
    before[:7062] = labels[:7062]
    after[:7097] = labels[:7097]
    before[-99:] = -1  # 0.99%
    after[-STAY:] = -1  # 36 of them stay, and 51 others come: 0.87%
    after[-199 : -199 + 51] = -1
    return labels, before, after


def test_the_papers_own_numbers_come_out_of_answers_that_have_them():
    labels, before, after = known()
    original = column(10_000, "original", labels, before)
    cw = column(10_000, "cw-transfer", labels, after, before)
    for ours in (original, cw):
        assert ours.performance.share == ours.paper_performance == paper.PERFORMANCE[ours.sent]
        assert ours.abstention.share == ours.paper_abstention == paper.ABSTENTION[ours.sent]
        assert ours.performance.holds(paper.PERFORMANCE[ours.sent])
    assert original.performance_p is None
    assert original.abstention_p is None
    # 63 leave abstention, 51 enter it; 35 more are right, none fewer.
    assert cw.abstention_p == pytest.approx(binomtest(51, 114).pvalue)
    assert cw.performance_p == pytest.approx(binomtest(0, 35).pvalue)


def test_the_confusion_matrix_counts_answers_before_by_answers_after():
    _, before, after = known()
    table = confusion(10_000, "cw-transfer", before, after, CLASSES)
    counts = np.array(table.counts)
    assert counts.shape == (11, 11)
    assert counts.sum() == table.images == 10_000
    assert counts[-1, -1] == table.paper_stayed == STAY
    assert counts[-1].sum() == 99
    assert counts[:, -1].sum() == 87
    for k in range(CLASSES):
        assert counts[k].sum() == np.sum(before == k)
        assert counts[:, k].sum() == np.sum(after == k)
    one = confusion(1000, "tv-transfer", np.array([2, -1]), np.array([-1, 3]), 4)
    assert one.counts == [[0] * 5, [0] * 5, [0, 0, 0, 0, 1], [0] * 5, [0, 0, 0, 1, 0]]


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (10, 10), (1, 3), (99, 10_000), (7062, 10_000)])
def test_intervals_are_scipys_clopper_pearson(hits: int, trials: int):
    values = np.arange(trials) < hits
    ours, theirs = Rate.of(values), binomtest(hits, trials).proportion_ci(0.95, method="exact")
    assert (ours.hits, ours.images, ours.share) == (hits, trials, hits / trials)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.holds(hits / trials)
    assert not ours.holds(1.1)


def test_a_rate_of_no_image_says_nothing():
    assert Rate.of(np.zeros(0, dtype=bool)) == Rate(0, 0, None, 0.0, 1.0)


@pytest.mark.parametrize(("only_before", "only_after"), [(0, 0), (5, 5), (1, 9), (12, 3)])
def test_paired_p_values_are_scipys(only_before: int, only_after: int):
    before = np.array([True] * only_before + [False] * only_after + [True, True, False])
    after = np.array([False] * only_before + [True] * only_after + [True, True, False])
    discordant = only_before + only_after
    expected = binomtest(only_before, discordant).pvalue if discordant else 1.0
    assert paired_p(before, after) == pytest.approx(expected)


def test_success_on_the_surrogate_needs_the_class_and_the_budget():
    reached = np.array([True, True, True, False, False])
    norms = np.array([0.2, 1.0 + 5e-7, 1.5, 0.7, 1e-5])  # rounding neither breaks the budget nor is a perturbation
    before = np.array([False, False, False, False, True])
    row = on_surrogate("tv-transfer", "test", before, reached, norms, 1.0)
    assert row.before.hits == 1
    assert (row.reached.hits, row.within.hits, row.success.hits) == (3, 4, 2)
    assert row.norms == Norms(4, pytest.approx(np.mean(norms[:4])), pytest.approx(np.median(norms[:4])), 1.5)
    assert row.paper == 0.804
    assert on_surrogate("tv-transfer", "noise", before, reached, norms, 1.0).paper is None
    assert on_surrogate("cw-transfer", "test", reached[:3], ~reached[:3], np.zeros(3), 1.0).norms == Norms(
        0, None, None, None
    )


def test_what_n_alone_does_is_the_difference_on_the_originals():
    labels = np.zeros(4, dtype=np.int64)
    columns = [
        column(100, "original", labels, np.array([0, -1, -1, 0])),
        column(100, "cw-transfer", labels, np.array([0, 0, 0, 0]), labels),
        column(1000, "original", labels, np.array([0, -1, 0, 0])),
    ]
    assert sampled_difference(columns, "original") == -0.25
    assert sampled_difference(columns[:2], "original") is None
