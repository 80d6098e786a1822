"""The probit gap against the closed form: on a linear target it is twice the margin, in σ."""

from __future__ import annotations

import pytest
import torch
from attacks_world import ALPHA, SIGMA, Linear, N, streams, white_box
from scipy.special import ndtr

from attacks.search.probit_gap import boundary_distance, gap_and_gradient, half_band, probit_gap
from attacks.search.problem import Problem
from targets.abstention import abstention_probability

MARGINS = [0.3, 0.1, -0.2, 0.0]


def test_on_a_linear_target_it_measures_the_distance_to_the_tie():
    p = torch.from_numpy(ndtr(torch.tensor(MARGINS, dtype=torch.float64).numpy() / SIGMA))
    both = torch.stack([p, 1 - p], 1)
    gap = probit_gap(both, torch.zeros(4, dtype=torch.int64))
    assert (SIGMA / 2 * gap).tolist() == pytest.approx(MARGINS, abs=1e-9)
    assert boundary_distance(p, 1 - p, SIGMA).tolist() == pytest.approx(MARGINS, abs=1e-9)


def test_it_is_to_the_best_other_class_or_to_the_rival():
    p = torch.tensor([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]])
    home = torch.tensor([0, 1])
    assert probit_gap(p, home).tolist() == pytest.approx([-0.8416, 0.5244], abs=1e-3)
    assert probit_gap(p, home, torch.tensor([2, 0])).tolist() == pytest.approx([-0.3172, 0.8416], abs=1e-3)


@pytest.mark.parametrize("margin", [0.05, 0.3, 2.0])
def test_it_grows_along_the_normal_of_the_boundary_also_where_all_votes_agree(margin):
    base = Linear(sharpness=4.0)
    images = base.images([margin, -margin])
    model, _ = white_box(base, 2)
    problem = Problem(model, images, torch.tensor([0, 1]), 1.0, streams(2))
    gap, gradient = gap_and_gradient(problem, images, [0, 1], 200)
    assert bool((gap > 0).all())
    along = gradient.flatten(1) @ base.w / gradient.flatten(1).norm(dim=1)
    assert along.tolist() == pytest.approx([1.0, -1.0], abs=1e-3)


@pytest.mark.parametrize(("n", "width"), [(100, 0.440), (1_000, 0.133), (10_000, 0.042)])
def test_half_the_band(n: int, width: float):
    assert half_band(n, 0.001) == pytest.approx(width, abs=0.001)


def test_at_half_the_band_predict_abstains_half_of_the_time():
    p = float(ndtr(half_band(N, ALPHA)))
    assert float(abstention_probability(torch.tensor([[p, 1 - p]]), N, ALPHA)) == pytest.approx(0.5, abs=0.03)
