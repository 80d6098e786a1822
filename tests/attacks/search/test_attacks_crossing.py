"""Searches for an image across the boundary: where they end, and what they leave alone."""

from __future__ import annotations

import pytest
import torch
from attacks_world import SIGMA, Linear, norms, streams, white_box

from attacks.search.crossing import Crossing
from attacks.search.problem import Problem
from attacks.white_box.apgd import AutoPGD
from attacks.white_box.fmn import FastMinimumNorm

SEARCHES = {
    "crossing": Crossing(steps=16, samples=64, step_size=0.35, momentum=0.75, overshoot=0.3),
    "fmn": FastMinimumNorm(steps=24, samples=64, step_size=0.5, gamma=0.2, overshoot=0.3),
    "apgd": AutoPGD(steps=24, samples=64, rho=0.75),
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_a_search_moves_the_named_images_across_and_no_other(search):
    base = Linear()
    images = base.images([0.3, 0.3, -0.3, 0.3])
    model, meter = white_box(base, 4)
    problem = Problem(model, images, torch.tensor([0, 0, 1, 0]), 1.0, streams(4))
    found = search(problem, [0, 2, 3])
    assert torch.equal(found[1], images[1])
    assert meter.forward[1] == meter.backward[1] == 0
    margin = base.margin(found)
    # The minimum-norm search stops near the tie, by estimates.
    slack = 0.3 * SIGMA if isinstance(search, FastMinimumNorm) else 0.0
    assert margin[0] < slack
    assert margin[2] > -slack
    assert margin[3] < slack
    assert float(norms(found - images).max()) <= 1.0


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_without_an_image_to_move_a_search_costs_nothing(search):
    base = Linear()
    images = base.images([0.3, -0.3])
    model, meter = white_box(base, 2)
    assert torch.equal(search(Problem(model, images, torch.tensor([0, 1]), 1.0, streams(2)), []), images)
    assert meter.forward.sum() == 0
