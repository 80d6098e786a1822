"""Rules against what they promise: curtailment against the full count, the sequential test against its level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from targets_linear import image_at, linear

from targets.binomial import decide
from targets.stopping import ABSTAIN, PENDING, FixedN, Sequential, log_evidence


def outcome(rule, sequence, classes: int, step: int) -> tuple[int, int]:
    """A rule's decision on one sequence of votes when asked every ``step``, and the samples it took."""
    votes = np.zeros((1, classes), dtype=np.int64)
    for begin in range(0, len(sequence), step):
        votes += np.bincount(sequence[begin : begin + step], minlength=classes)
        decision = int(rule(votes, votes.sum(1))[0])
        if decision != PENDING:
            break
    return decision, int(votes.sum())


@st.composite
def vote_sequences(draw):
    """Votes of 2 to 11 classes, from even to lopsided, in random and in adversarial (sorted) order."""
    classes = draw(st.integers(2, 11))
    n = draw(st.integers(1, 400))
    weights = np.array(draw(st.lists(st.integers(0, 20), min_size=classes, max_size=classes))) + 1e-9
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sequence = generator.choice(classes, size=n, p=weights / weights.sum())
    order = draw(st.sampled_from(["random", "sorted", "reversed"]))
    if order != "random":
        sequence = np.sort(sequence)[:: 1 if order == "sorted" else -1]
    return classes, sequence


@settings(deadline=None, max_examples=400)
@given(vote_sequences(), st.sampled_from([1, 7, 25]), st.sampled_from([0.001, 0.05, 0.5]))
def test_curtailment_never_changes_a_decision(drawn, step, alpha):
    classes, sequence = drawn
    full = np.bincount(sequence, minlength=classes)[None]
    decision, used = outcome(FixedN(len(sequence), alpha), sequence, classes, step)
    assert decision == decide(full, alpha, ABSTAIN)[0]
    assert used <= len(sequence)


@settings(deadline=None, max_examples=200)
@given(vote_sequences(), st.sampled_from([0.001, 0.05]))
def test_curtailment_stops_as_early_as_the_decision_is_certain(drawn, alpha):
    """It waits only while two ways to hand out the rest differ: all to the leader, and all to the runner-up."""
    classes, sequence = drawn
    n = len(sequence)
    _, used = outcome(FixedN(n, alpha), sequence, classes, 1)
    if used < 2:
        return
    before = np.bincount(sequence[: used - 1], minlength=classes)
    first, second = np.argsort(-before, kind="stable")[:2]
    endings = []
    for winner in (first, second):
        rest = before.copy()
        rest[winner] += n - used + 1
        endings.append(int(decide(rest[None], alpha, ABSTAIN)[0]))
    assert endings[0] != endings[1]


def test_what_curtailment_saves_is_what_arithmetic_says():
    unanimous = np.zeros(1000, dtype=np.int64)
    assert outcome(FixedN(1000, 0.001), unanimous, 10, 1) == (0, 553)  # reference: 553 of 1,000 are significant
    even = np.arange(1000) % 2
    decision, used = outcome(FixedN(1000, 0.001), even, 2, 1)
    assert decision == ABSTAIN
    assert 890 < used < 900  # 447 losing votes are the fewest that are not rejected


@pytest.mark.parametrize(("first", "second"), [(0, 0), (5, 0), (0, 5), (40, 25), (25, 40), (300, 260)])
def test_the_evidence_is_the_mixture_s_likelihood_ratio(first, second):
    exact, _ = quad(lambda t: 2 * (2 * t) ** first * (2 - 2 * t) ** second, 0.5, 1)
    assert float(log_evidence(first, second)) == pytest.approx(np.log(exact), abs=1e-6)


def test_the_evidence_is_a_martingale_under_even_odds():
    """E before a vote is the mean of E after it."""
    a, b = np.meshgrid(np.arange(60), np.arange(60))
    after = (np.exp(log_evidence(a + 1, b)) + np.exp(log_evidence(a, b + 1))) / 2
    np.testing.assert_allclose(after, np.exp(log_evidence(a, b)), rtol=1e-9)


def test_the_evidence_for_huge_counts_is_finite_or_minus_infinity():
    assert np.isfinite(log_evidence(100_000, 0))
    assert np.isfinite(log_evidence(50_500, 49_500))
    assert log_evidence(0, 100_000) < -1e4


def simulate(p, n: int, alpha: float, runs: int, seed: int) -> np.ndarray:
    """Decisions of the sequential rule on ``runs`` images, asked every 5 votes at first and every 2.5% more later."""
    generator = np.random.default_rng(seed)
    rule, votes = Sequential(n, alpha), np.zeros((runs, len(p)), dtype=np.int64)
    decisions = np.full(runs, PENDING)
    while (pending := decisions == PENDING).any():
        drawn = int(votes[pending][0].sum())
        step = min(max(5, drawn // 40), n - drawn)
        votes[pending] += generator.multinomial(step, p, size=int(pending.sum()))
        decisions[pending] = rule(votes[pending], votes[pending].sum(1))
    return np.stack([decisions, votes.sum(1)])


@pytest.mark.parametrize("p", [[0.5, 0.5], [0.3, 0.3, 0.2, 0.2], [0.1] * 10])
def test_the_sequential_test_answers_a_tie_no_more_often_than_its_level(p):
    """Any answer is an error where the largest classes tie, however long it may look."""
    alpha, runs = 0.05, 3000
    decisions, _ = simulate(p, 20_000, alpha, runs, seed=1)
    assert (decisions != ABSTAIN).sum() <= alpha * runs  # the bound itself, without allowance


def test_a_slightly_smaller_class_is_hardly_ever_answered():
    decisions, _ = simulate([0.45, 0.40, 0.15], 2000, 0.05, 2000, seed=2)
    assert np.isin(decisions, [1, 2]).sum() <= 0.05 * 2000
    assert (decisions == 0).sum() > 0


def test_clear_images_take_few_samples_and_unclear_ones_abstain():
    clear, used = simulate([0.95, 0.03, 0.02], 100_000, 0.001, 200, seed=3)
    assert (clear == 0).all()
    assert used.mean() < 60
    tied, used = simulate([0.5, 0.5], 3000, 0.001, 200, seed=4)
    assert (tied == ABSTAIN).mean() > 0.98
    assert (used < 3000).all()  # it sees that what is left cannot settle it


def test_an_image_at_the_tie_costs_all_samples_and_a_clear_one_few():
    """The slowdown that comes with forced abstention, on the linear classifier: p_A = Φ(margin / σ)."""
    target, n = linear(0.5), 4000
    images = image_at(0.0, 0.02, 0.1, 0.3, 1.5)
    labels, drawn = target.predict_sequentially(images, n=n)
    assert labels.tolist()[2:] == [0, 0, 0]
    assert (labels[0], drawn[0]) == (ABSTAIN, n) or drawn[0] > n / 2  # it stops once no answer can come any more
    assert drawn.tolist() == sorted(drawn, reverse=True)
    assert drawn[-1] == 100
    for row, (label, used) in enumerate(zip(labels, drawn, strict=True)):
        rule, samples, decision = Sequential(n, 0.001), 0, PENDING
        while decision == PENDING:  # the slow way: all votes so far, again and again
            samples += 100
            votes = target.votes(images[[row]], samples, indices=[row])
            decision = int(rule(votes, votes.sum(1))[0])
        assert (label, used) == (decision, samples)
