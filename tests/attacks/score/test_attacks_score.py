"""The searches by vote counts against the closed form, and the queries that they ask."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import DEPLOYMENT, SIGMA, Linear, abstention, norms, streams
from scipy.special import ndtr

from attacks import Meter, Score
from attacks.score.nes import NES
from attacks.score.square import Square
from targets.noise import keyed_generator

MARGINS = [0.15, 0.3, -0.45]


class Smooth(Linear):
    """The gradient is a bump: smooth, as a smoothed classifier's is, and somewhat lower left of the middle."""

    def __init__(self) -> None:
        super().__init__()
        down, across = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
        bump = torch.exp(-((down - 4.5) ** 2 + (across - 3) ** 2) / 8).flatten()
        self.register_buffer("w", bump / bump.norm())


def attacked(attack, base, margins, epsilon, budget=None):
    """(originals, what the attack returns, its meter); votes are binomial, as the closed form has it."""
    images = base.images(margins).clamp(0, 1)
    meter = Meter(len(images), budget)

    def votes(points, rows, ordinals, samples):
        p = ndtr(base.margin(points).double().numpy() / SIGMA)
        keys = zip(p, rows, ordinals, strict=True)
        first = [keyed_generator(int(row), int(ordinal)).binomial(samples, q) for q, row, ordinal in keys]
        return np.stack([first, samples - np.array(first)], 1).reshape(-1, 2)

    model = Score(votes, DEPLOYMENT, meter)
    labels = torch.zeros(len(images), dtype=torch.int64)
    adversarial = attack(model, images.clone(), labels, epsilon, streams(len(images)))
    assert 0 <= float(adversarial.min()) <= float(adversarial.max()) <= 1
    assert float(norms(adversarial - images).max()) <= epsilon
    return images, adversarial, meter


@pytest.mark.parametrize(
    ("attack", "base", "margins", "ratio"),
    [(NES(), Linear(), [0.35, 0.4, 0.44], 1.25), (Square(), Smooth(), [0.25, 0.3, 0.35], 1.6)],
)
def test_ties_little_further_away_than_the_nearest_one(attack, base, margins, ratio):
    """NES finds any direction. Square's patches make up smooth ones alone, and there are few of them on 64 pixels."""
    margins = [*margins, *(-margin for margin in margins)]
    images, adversarial, _ = attacked(attack, base, margins, epsilon=0.5)
    ratios = norms(adversarial - images).numpy() / np.abs(margins)
    assert ratios.mean() <= ratio
    # Abstention begins a little before the tie: in units of σ the band is 0.133 wide on each side.
    assert np.all(ratios >= 1 - 0.3 * SIGMA / np.abs(margins))
    assert float(abstention(base, adversarial).mean()) > 0.8


@pytest.mark.parametrize("cls", [NES, Square])
@pytest.mark.parametrize("most", [1, 2, 4, 5, 12])
def test_neither_the_budget_nor_its_own_cap_is_exceeded(cls, most):
    _, under_budget, meter = attacked(cls(), Smooth(), MARGINS, 0.5, most)
    assert meter.queries.max() <= most
    _, under_cap, capped = attacked(cls(queries=most), Smooth(), MARGINS, 0.5)
    assert torch.equal(under_cap, under_budget)
    assert capped.queries.tolist() == meter.queries.tolist()


@pytest.mark.parametrize("cls", [NES, Square])
def test_an_image_that_has_crossed_asks_no_more_and_one_out_of_reach_asks_once(cls):
    images, adversarial, meter = attacked(cls(samples=100), Smooth(), [0.05, 0.26, 1.0], 0.25)
    near, far, out_of_reach = meter.queries.tolist()
    assert near < far <= 100
    assert out_of_reach == 1
    assert torch.equal(adversarial[2], images[2])
