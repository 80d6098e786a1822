"""Tabacof–Valle against a logistic model, for which the closest confident image is known in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from attacks.search.tabacof_valle import TabacofValle

STEEPNESS = 8.0
CONFIDENCE = 0.95
REACH = float(np.log(CONFIDENCE / (1 - CONFIDENCE))) / STEEPNESS
"""Beyond the tie by so much lies the confidence wanted."""


def model(tie: float):
    """log p(abstain) of images whose tie lies ``tie`` from grey along a fixed direction."""
    direction = torch.randn(192, generator=torch.Generator().manual_seed(3))
    direction /= direction.norm()

    def log_p(points: Tensor, rows: Sequence[int]) -> Tensor:
        along = (points.flatten(1) - 0.5) @ direction.to(points)
        return logsigmoid(STEEPNESS * (along - tie))

    return log_p


def attacked(tie: float, epsilon: float, **settings: float) -> tuple[float, float]:
    """(norm, p(abstain)) of what the search gives for a grey image."""
    search = TabacofValle(**{
        "confidence": CONFIDENCE, "initial_const": 0.01, "search_steps": 3, "evaluations": 30, **settings,
    })  # fmt: skip
    grey = torch.full((1, 3, 8, 8), 0.5)
    found = search(model(tie), grey, epsilon)
    assert bool(((found >= 0) & (found <= 1)).all())
    return float((found - grey).norm()), float(model(tie)(found, [0]).exp())


def test_it_stops_inside_the_budget_with_the_confidence_wanted():
    norm, p = attacked(tie=0.4, epsilon=1.0)
    assert 0.4 + REACH - 1e-4 <= norm <= 1.0
    assert p >= CONFIDENCE - 1e-5


def test_where_the_budget_is_too_small_it_gives_the_closest_confident_image_over_it():
    norm, p = attacked(tie=0.9, epsilon=1.0)
    assert p >= CONFIDENCE - 1e-5
    assert 1.0 < 0.9 + REACH - 1e-4 <= norm <= 1.25 * (0.9 + REACH)


@pytest.mark.parametrize("epsilon", [0.5, 1.0])
def test_where_no_image_is_confident_it_gives_the_last_one_it_looked_at(epsilon: float):
    norm, p = attacked(tie=0.9, epsilon=epsilon, initial_const=100.0, search_steps=1)
    assert p < CONFIDENCE
    assert norm < 0.9
