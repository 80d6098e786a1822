"""Carlini–Wagner against a half-space, whose nearest point is known in closed form."""

from __future__ import annotations

import pytest
import torch
from attacks_world import Linear, norms

from attacks.search.carlini_wagner import CarliniWagner

BASE = Linear()


def loss(points):
    margin = BASE.margin(points)
    return margin.clamp_min(-0.05), margin < 0


@pytest.mark.parametrize("initial_const", [0.1, 1.0, 100.0])
def test_it_finds_little_more_than_the_distance_of_the_half_space(initial_const):
    images = BASE.images([0.15, 0.3, 0.45])
    found = CarliniWagner(search_steps=6, steps=60, learning_rate=0.05, initial_const=initial_const)(loss, images)
    assert bool((BASE.margin(found) < 0).all())
    ratio = norms(found - images) / torch.tensor([0.15, 0.3, 0.45])
    assert float(ratio.min()) > 1
    assert float(ratio.max()) < 1.3


def test_without_a_success_it_returns_the_originals():
    images = BASE.images([0.2, 0.4])
    search = CarliniWagner(search_steps=2, steps=5, learning_rate=0.05, initial_const=1.0)
    found = search(lambda points: (BASE.margin(points), torch.zeros(2, dtype=torch.bool)), images)
    assert torch.equal(found, images)
