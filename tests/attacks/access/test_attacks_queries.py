"""Queries are numbered by image, so that each has noise of its own, and charged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import DEPLOYMENT, N, not_asked

from attacks import BudgetExhausted, Decision, Hybrid, Meter, Score


@pytest.mark.parametrize("kind", [Score, Decision, Hybrid])
def test_the_number_of_queries_before_names_the_noise(kind):
    asked, meter = [], Meter(3, query_budget=3)

    def answer(images, rows, ordinals, *samples):
        asked.append((list(rows), list(ordinals), *samples))
        return np.zeros((len(images), 2) if samples else len(images), dtype=np.int64)

    if kind is Score:
        query = Score(answer, DEPLOYMENT, meter).votes
    elif kind is Decision:
        query = Decision(answer, lambda: torch.zeros(0), DEPLOYMENT, meter).predict
    else:
        query = Hybrid(not_asked, not_asked, answer, lambda: torch.zeros(0), DEPLOYMENT, meter).predict
    query(torch.zeros(3, 1, 8, 8), [2, 0, 2])
    query(torch.zeros(3, 1, 8, 8))
    assert [each[:2] for each in asked] == [([2, 0, 2], [0, 0, 1]), ([0, 1, 2], [1, 0, 2])]
    assert meter.queries.tolist() == [2, 1, 3]
    assert meter.forward.tolist() == [2 * N, N, 3 * N]
    with pytest.raises(BudgetExhausted):
        query(torch.zeros(1, 1, 8, 8), [2])
    assert len(asked) == 2


def test_fewer_samples_cost_fewer():
    meter = Meter(1)
    model = Score(lambda images, rows, ordinals, samples: np.full((1, 2), samples), DEPLOYMENT, meter)
    assert model.votes(torch.zeros(1, 1, 8, 8), samples=7).tolist() == [[7, 7]]
    assert meter.forward.tolist() == [7]
