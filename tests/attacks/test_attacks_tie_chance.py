"""Where a classifier known with errors most probably ties."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import ALPHA, DEPLOYMENT, MARGINS, SIGMA, N, Perfect, not_asked, streams
from scipy.special import ndtr, ndtri
from torch import Tensor, nn

from attacks import ATTACKS, Deployment, Meter, Transfer, WhiteBox
from attacks.search.landing import half_band
from attacks.search.tie_chance import TieChance, tie_chance
from targets.abstention import abstention_probability

# On a CPU without bfloat16 instructions networks that cannot be rewritten are computed as they are, which is said.
pytestmark = pytest.mark.filterwarnings("ignore:the base classifier is computed as it is:UserWarning")


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
    found = climb(model, images, images, torch.zeros(3, dtype=torch.int64), 0.4, streams(3), [0, 2])
    assert torch.equal(found[1], images[1])
    assert meter.forward[1] == 0
    moved = (found - images).flatten(1)
    assert float(moved.norm(dim=1).max()) <= 0.4
    assert float(moved[[0, 2], 1].min()) > 0.1
    errors = 0.6 * torch.randn(1, 20_000, 3, generator=torch.Generator().manual_seed(0))

    def chance(image: Tensor) -> float:
        noisy = image.flatten() + SIGMA * torch.randn((20_000, 64), generator=torch.Generator().manual_seed(1))
        p = ThreeClasses()(noisy).argmax(1).bincount(minlength=3) / 20_000
        return float(tie_chance(torch.special.ndtri(p.clamp(1e-4, 1 - 1e-4))[None], errors, N, ALPHA)[0])

    for row in (0, 2):
        assert chance(found[row]) > chance(images[row]) + 0.03


def test_same_data_transfer_goes_on_from_the_landing():
    """And stays about the tie where there is no other: 64 samples a step place it less exactly than landing does."""
    world = Perfect(len(MARGINS))
    model = Transfer(not_asked, world.surrogate, DEPLOYMENT, world.meter)
    images = world.base.images(MARGINS)
    attack = ATTACKS["same-data-transfer"](error=0.3)
    adversarial = attack(model, images, torch.zeros(len(MARGINS)), 1.0, streams(len(MARGINS)))
    assert float((adversarial - images).flatten(1).norm(dim=1).max()) <= 1.0
    p = ndtr(world.base.margin(adversarial).double().numpy() / SIGMA)
    outcome = abstention_probability(torch.from_numpy(np.stack([p, 1 - p], axis=1)), N, ALPHA)
    assert float(outcome.mean()) > 0.4
    landed = ATTACKS["same-data-transfer"]()(model, images, torch.zeros(len(MARGINS)), 1.0, streams(len(MARGINS)))
    assert not torch.equal(landed, adversarial)


def test_rows_from_before_there_was_an_error_keep_their_key():
    cls = ATTACKS["same-data-transfer"]
    assert "error" not in cls().parameters()
    assert cls(error=0.6).parameters()["error"] == 0.6
