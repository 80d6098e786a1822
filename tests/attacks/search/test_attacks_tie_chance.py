"""The chance that a target abstains which surrogates know with errors."""

from __future__ import annotations

import pytest
import torch
from attacks_world import ALPHA, SIGMA, N, norms, streams
from scipy.special import ndtr, ndtri
from torch import Tensor, nn

from attacks import Deployment, Meter, WhiteBox
from attacks.search.probit_gap import half_band
from attacks.search.problem import Problem
from attacks.search.tie_chance import TieChance, tie_chance
from targets.abstention import abstention_probability


@pytest.mark.parametrize("p", [0.5, 0.53, 0.552, 0.58, 0.65])
@pytest.mark.parametrize("n", [1000, 10_000])
def test_without_errors_it_is_the_chance_that_predict_abstains(p: float, n: int):
    scores = torch.tensor([[ndtri(p), ndtri(1 - p)]])
    exact = float(abstention_probability(torch.tensor([[p, 1 - p]], dtype=torch.float64), n, ALPHA)[0])
    assert float(tie_chance(scores, torch.zeros(1, 1, 2), n, ALPHA)[0]) == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("gap", [0.0, 0.5, -0.5, 2.0])
def test_with_errors_it_is_the_share_of_a_normal_that_falls_into_the_band(gap: float):
    """Errors of 0.6 in each of two classes: their gap has a standard deviation of 0.6 √2, and so many votes show it."""
    n, errors = 10**5, 0.6 * torch.randn(1, 200_000, 2, generator=torch.Generator().manual_seed(0))
    width = 2 * half_band(n, ALPHA)
    exact = ndtr((width - gap) / (0.6 * 2**0.5)) - ndtr((-width - gap) / (0.6 * 2**0.5))
    assert float(tie_chance(torch.tensor([[gap, 0.0]]), errors, n, ALPHA)[0]) == pytest.approx(
        exact, rel=0.05, abs=1e-4
    )


class ThreeClasses(nn.Module):
    """Classes 0 and 1 tie where the first pixel is grey; class 2 joins them along the second."""

    def forward(self, images: Tensor) -> Tensor:
        first, second = (images.flatten(1) - 0.5)[:, :2].unbind(1)
        return 20 * torch.stack([first, -first, second - 0.25], dim=1)


def test_it_climbs_to_where_more_classes_are_near_the_lead_and_stays_in_the_ball():
    images = torch.full((3, 1, 8, 8), 0.5)
    meter = Meter(3)
    model = WhiteBox(ThreeClasses(), Deployment(3, (1, 8, 8), SIGMA, N, ALPHA), meter)
    climb = TieChance(error=0.6, favour=0.0, samples=512)
    problem = Problem(model, images, torch.zeros(3, dtype=torch.int64), 0.4, streams(3))
    found = climb(problem, images, [0, 2])
    assert torch.equal(found[1], images[1])
    assert meter.forward[1] == 0
    moved = (found - images).flatten(1)
    assert float(norms(moved).max()) <= 0.4
    assert float(moved[[0, 2], 1].min()) > 0.1
    errors = 0.6 * torch.randn(1, 20_000, 3, generator=torch.Generator().manual_seed(0))

    def chance(image: Tensor) -> float:
        noisy = image.flatten() + SIGMA * torch.randn((20_000, 64), generator=torch.Generator().manual_seed(1))
        p = ThreeClasses()(noisy).argmax(1).bincount(minlength=3) / 20_000
        return float(tie_chance(torch.special.ndtri(p.clamp(1e-4, 1 - 1e-4))[None], errors, N, ALPHA)[0])

    for row in (0, 2):
        assert chance(found[row]) > chance(images[row]) + 0.03
