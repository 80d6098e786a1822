"""A search by vote counts keeps queries back for its landing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import DEPLOYMENT, SIGMA, Linear, N, abstention
from scipy.special import ndtr

from attacks import Meter, Score
from attacks.search.vote_search import VoteSearch

BASE = Linear()


def search(images, queries: int, budget: int | None = None) -> tuple[VoteSearch, Meter]:
    meter, random = Meter(len(images), budget), np.random.default_rng(0)

    def votes(points, rows, ordinals, samples):
        first = random.binomial(samples, ndtr(BASE.margin(points).double().numpy() / SIGMA))
        return np.stack([first, samples - first], 1)

    return VoteSearch(Score(votes, DEPLOYMENT, meter), images, queries, 3, 0.25), meter


@pytest.mark.parametrize(("queries", "budget", "left"), [(20, None, 16), (20, 9, 5), (3, None, 0), (1, None, 0)])
def test_the_original_and_the_landing_are_paid_first(queries, budget, left):
    found, meter = search(BASE.images([0.1, -0.2]), queries, budget)
    assert [found.left(row) for row in range(2)] == [left, left]
    assert meter.queries.tolist() == [1, 1]
    assert meter.forward.tolist() == [N // 4, N // 4]


def test_it_lands_with_what_was_kept_back():
    margins = [0.15, 0.2, 0.3]
    images = BASE.images(margins)
    found, meter = search(images, 20)
    across = images - 2 * torch.tensor(margins)[:, None, None, None] * BASE.w.view(1, 8, 8)
    assert found.crossed(across, [0, 1, 2]) == [0, 1, 2]
    assert float(abstention(BASE, found.land(across)).mean()) > 0.8
    # The original, the far end and two rounds; and a halving where neither end is near the tie.
    assert set(meter.queries.tolist()) <= {4, 5}


def test_without_a_query_left_it_stays_where_it_is():
    images = BASE.images([0.2])
    found, _ = search(images, 1)
    across = images - 0.4 * BASE.w.view(1, 8, 8)
    assert torch.equal(found.land(across), across)


def test_what_is_out_of_reach_is_named():
    assert search(BASE.images([0.05, 1.0]), 20)[0].within_reach(0.25) == [0]
