"""The searches by vote counts against the closed form, and the queries that they ask."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import ALPHA, SIGMA, Linear, N, streams
from scipy.special import ndtr

from attacks import Deployment, Meter, Score
from attacks.score.nes import NES, Gradients
from attacks.score.square import Square
from targets.abstention import abstention_probability
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

    model = Score(votes, Deployment(2, (1, 8, 8), SIGMA, N, ALPHA), meter)
    labels = torch.zeros(len(images), dtype=torch.int64)
    adversarial = attack(model, images.clone(), labels, epsilon, streams(len(images)))
    assert 0 <= float(adversarial.min()) <= float(adversarial.max()) <= 1
    assert float((adversarial - images).flatten(1).norm(dim=1).max()) <= epsilon
    return images, adversarial, meter


@pytest.mark.parametrize(
    ("attack", "base", "margins", "ratio"),
    [(NES(), Linear(), [0.35, 0.4, 0.44], 1.25), (Square(), Smooth(), [0.25, 0.3, 0.35], 1.6)],
)
def test_ties_little_further_away_than_the_nearest_one(attack, base, margins, ratio):
    """NES finds any direction. Square's patches make up smooth ones alone, and there are few of them on 64 pixels."""
    margins = [*margins, *(-margin for margin in margins)]
    images, adversarial, _ = attacked(attack, base, margins, epsilon=0.5)
    norms = (adversarial - images).flatten(1).norm(dim=1).numpy() / np.abs(margins)
    assert norms.mean() <= ratio
    # Abstention begins a little before the tie: in units of σ the band is 0.133 wide on each side.
    assert np.all(norms >= 1 - 0.3 * SIGMA / np.abs(margins))
    p = torch.from_numpy(ndtr(base.margin(adversarial).double().numpy() / SIGMA))
    assert float(abstention_probability(torch.stack([p, 1 - p], 1), N, ALPHA).mean()) > 0.8


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


def test_nes_aims_at_the_class_whose_boundary_is_nearest():
    """Class 1 has the smaller gap, class 2 the steeper slope, and class 3, hardly ever voted for, nothing but noise."""
    generator = torch.Generator().manual_seed(0)
    slopes = torch.zeros(4, 12, dtype=torch.float64)
    slopes[0, 0], slopes[1, 1], slopes[2, 2] = -0.3, 0.4, 1.6
    clean = torch.tensor([0.4, -0.2, -0.6, -3.0], dtype=torch.float64)
    gradients = Gradients(torch.special.ndtr(clean), (200, 50), (3, 2, 2))
    turned = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=torch.float64))[0]
    noise = torch.tensor([0.0, 0.0, 0.0, 1.5], dtype=torch.float64) * torch.randn(12, 4, generator=generator)
    ways = 2 * turned
    gradients.add(ways.view(12, 3, 2, 2).float(), torch.special.ndtr(clean + ways @ slopes.T + noise))
    direction, distance = gradients.nearest_tie(0)
    expected = slopes[2] - slopes[0]
    assert float(direction.flatten() @ expected / expected.norm()) > 0.95
    assert distance == pytest.approx(1.0 / float(expected.norm()), rel=0.25)
