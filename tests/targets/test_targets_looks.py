"""Looks: when they stop, what they prove, and how often that is wrong, on classifiers that are known in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, norm
from targets_exact import exact_abstention
from targets_linear import image_at, linear

from targets.ceiling import abstention_bound, ceilings
from targets.looks import DECIDED, GAIN, Looks
from targets.noise import BLOCK
from targets.stopping import ABSTAIN, PENDING

N, ALPHA = 100, 0.001
LOOKS = Looks(first=200, most=3200, shift=1.5, n=N, alpha=ALPHA, error=0.001)
"""200 votes prove nothing at 1.5 σ, whatever they are; 3,200 do."""


@pytest.mark.parametrize(
    ("first", "most", "samples"),
    [
        (200, 3200, (400, 800, 1600, 3200)),
        (250, 2600, (500, 1000, 2000, 2600)),
        (40_000, 40_001, (40_100,)),
        (130, 1000, (300, 600, 1000)),
        (2, 3, (100,)),
    ],
)
def test_looks_double_and_end_at_the_most_samples(first, most, samples):
    looks = replace(LOOKS, first=first, most=most)
    assert looks.samples == samples
    assert all(size % BLOCK == 0 for size in samples)


@pytest.mark.parametrize("drawn", [400, 3200, 2_560_000])
def test_a_look_s_bound_is_that_of_one_rival_at_clopper_pearson_s_limit(drawn):
    low = LOOKS.level ** (1 / drawn)  # of votes that all agree
    bound = LOOKS.bounds(np.array([drawn]), np.array([drawn]))[0]
    assert bound == pytest.approx(abstention_bound(low, np.array([1 - low]), 1.5, 1.0, N, ALPHA), abs=1e-9)
    assert LOOKS.level == 0.001 / 2 / 4


def test_the_stopping_counts_are_where_the_bounds_cross():
    def bound(misses: int, drawn: int) -> float:
        return float(LOOKS.bounds(np.array([drawn - misses]), np.array([drawn]))[0])

    assert LOOKS.sufficient[0] == -1
    assert LOOKS.sufficient[-1] > 0
    for drawn, most in zip(LOOKS.samples, LOOKS.sufficient, strict=True):
        assert bound(most + 1, drawn) > DECIDED
        assert most < 0 or bound(most, drawn) <= DECIDED
    assert bound(LOOKS.useful, 3200) <= 1 - GAIN < bound(LOOKS.useful + 1, 3200)
    assert LOOKS.useful > LOOKS.sufficient[-1]


def test_a_rule_that_stops_at_looks_or_in_vain():
    vain, enough = LOOKS.useful + 1, LOOKS.sufficient[2]
    misses = np.array([0, 0, vain, vain, enough, enough + 1, LOOKS.useful])
    drawn = np.array([100, 1600, 300, 400, 1600, 1600, 3200])
    votes = np.stack([misses, drawn - misses], axis=1)
    assert LOOKS(votes, drawn).tolist() == [PENDING, 1, ABSTAIN, ABSTAIN, 1, PENDING, 1]


def test_only_nearly_unanimous_images_are_sampled_on_and_only_where_that_may_decide():
    votes = np.array([[200, 0], [199, 1], [160, 40], [0, 200]])
    selected = np.zeros(4, dtype=np.int64)
    first = ceilings(votes, 1.5, 1.0, N, ALPHA)
    assert first.min() > 0.9
    assert LOOKS.promising(votes, selected, first).tolist() == [True, True, False, False]
    assert not LOOKS.promising(votes, selected, np.full(4, GAIN)).any()  # there is nothing to gain
    beyond = replace(LOOKS, shift=8.3)
    assert beyond.useful == -1
    assert not beyond.promising(votes, selected, np.ones(4)).any()
    none = np.zeros((0, 2), dtype=np.int64)
    assert LOOKS.promising(none, none[:, 0], np.ones(0)).shape == LOOKS.proven(none, none[:, 0]).shape == (0,)


def test_nothing_is_proven_of_votes_that_are_at_no_look_or_for_another_class():
    votes = np.array([[3200, 0], [3199, 0], [0, 3200]])
    proven = LOOKS.proven(votes, np.zeros(3, dtype=np.int64))
    assert proven[0] < 0.01
    assert proven[1:].tolist() == [1.0, 1.0]


def walk(looks: Looks, p: float, times: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """So many runs on votes for A with probability ``p``: the votes (N, 2) where each stopped, and all looks' bounds.

    The rule is asked at the looks alone. In between it only stops in vain, which proves nothing.
    """
    hits, drawn = np.zeros(times, dtype=np.int64), 0
    final = np.zeros((times, 2), dtype=np.int64)
    running = np.ones(times, dtype=bool)
    every = []
    for look in looks.samples:
        hits += generator.binomial(look - drawn, p, times)
        drawn = look
        values, back = np.unique(hits, return_inverse=True)
        every.append(looks.bounds(values, np.full(len(values), drawn))[back])
        votes = np.stack([hits, drawn - hits], axis=1)
        final[running] = votes[running]
        running &= looks(votes, np.full(times, drawn)) == PENDING
    return final, np.stack(every)


@pytest.mark.parametrize("margin", [1.8, 2.0, 2.2])
def test_the_ceiling_fails_no_more_often_than_stated(margin):
    """On the linear classifier, whose best attack walks straight to the tie. The error is large, to see it at all."""
    times, generator = 4000, np.random.default_rng(int(10 * margin))
    looks = replace(LOOKS, error=0.2)
    p, there = norm.cdf(margin), norm.cdf(max(0.0, margin - looks.shift))
    truth = exact_abstention([there, 1 - there], N, ALPHA)
    assert 0.01 < truth < 0.999
    final, every = walk(looks, p, times, generator)
    proven = looks.proven(final, np.zeros(times, dtype=np.int64))
    # The first stage holds the other half of the error. Its votes are the first of the same stream in a run; here they
    # are others, as the union bound asks for no independence.
    first = generator.binomial(looks.first, p, times)
    values, back = np.unique(first, return_inverse=True)
    votes = np.stack([values, looks.first - values], axis=1)
    staged = ceilings(votes, looks.shift, 1.0, N, ALPHA, confidence=1 - looks.error / 2)[back]
    failed = np.minimum(staged, proven) < truth - 1e-9
    assert failed.sum() <= binom.ppf(0.999, times, looks.error)
    # Whoever stopped at the look that suits him best would fail in half of the error at most, too.
    assert (every.min(0) < truth - 1e-9).sum() <= binom.ppf(0.999, times, looks.error / 2)
    assert (every.min(0) < truth - 1e-9).any()  # it is no empty bound


def test_more_samples_decide_where_the_first_cannot():
    first = ceilings(np.array([[200, 0]]), 1.5, 1.0, N, ALPHA, confidence=1 - LOOKS.error / 2)
    assert first[0] > 0.9
    final, _ = walk(LOOKS, float(norm.cdf(3.0)), 500, np.random.default_rng(0))
    proven = LOOKS.proven(final, np.zeros(500, dtype=np.int64))
    assert np.mean(proven <= DECIDED) > 0.9
    assert final.sum(1).mean() < 3200  # and most stop before the last look


def test_the_sampler_stops_at_looks_and_its_votes_are_the_evidence_s_drawn_on():
    target = linear(0.5)
    images = image_at(2.0, 1.2, 0.7, -2.0)  # 4, 2.4 and 1.4 σ from the tie, and on the other side of it
    looks = replace(LOOKS, most=1600)
    tally = target.sample(images, looks.samples[-1], seed=3, purpose="ceiling", indices=[5, 6, 7, 8], rule=looks)
    assert tally.drawn[0] in looks.samples
    assert tally.drawn[2] < 1600
    assert tally.drawn[2] not in looks.samples
    for row, drawn in enumerate(tally.drawn):
        alone = target.votes(images[[row]], int(drawn), seed=3, purpose="ceiling", indices=[5 + row])
        assert alone.tolist() == tally.votes[[row]].tolist()
    first, _ = target.evidence(images, 200, seed=3, purpose="ceiling", indices=[5, 6, 7, 8])
    assert (first <= tally.votes).all()
    proven = looks.proven(tally.votes, np.array([0, 0, 0, 0]))
    exact = [exact_abstention([q, 1 - q], N, ALPHA) for q in norm.cdf(np.array([4.0, 2.4, 1.4]) - looks.shift)]
    assert (proven[:3] >= np.array(exact) - 1e-9).all()
    assert proven[0] <= DECIDED
    assert proven[3] > 1 - 1e-9
