"""White-box attacks against the closed form: on a linear target the nearest tie lies at the margin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import ALPHA, SIGMA, Linear, N, abstention, norms, streams, white_box

from attacks import ATTACKS, WhiteBox
from targets.abstention import abstention_probability

WHITE_BOX = [name for name in ATTACKS if ATTACKS[name].access is WhiteBox]
MARGINS = [0.15, 0.2, 0.3, 0.45, -0.15, -0.2, -0.3, -0.45]
EPSILON = 1.0
SETTINGS = {"cw": {"steps": 60, "samples": 128}}
"""Where the defaults, made for the board's few seconds a cell, stop before an attack has converged."""


@pytest.fixture(scope="module", params=WHITE_BOX)
def attacked(request):
    """(norm / margin, exact probability of abstention there) of each image."""
    base = Linear()
    images = base.images(MARGINS)
    model, _ = white_box(base, len(images))
    labels = torch.zeros(len(images), dtype=torch.int64)
    attack = ATTACKS[request.param](**SETTINGS.get(request.param, {}))
    adversarial = attack(model, images, labels, EPSILON, streams(len(images)))
    return norms(adversarial - images).numpy() / np.abs(MARGINS), abstention(base, adversarial).numpy()


def test_the_norm_is_close_to_the_distance_of_the_tie(attacked):
    ratio, _ = attacked
    assert np.all(ratio <= 1.25)
    # Abstention begins a little before the tie: in units of σ the band is 0.133 wide on each side.
    assert np.all(ratio >= 1 - 0.3 * SIGMA / np.abs(MARGINS))


def test_the_target_abstains_there(attacked):
    """Averaged over images: estimates from a few hundred noise samples miss a band of ±0.133σ now and then."""
    _, chance = attacked
    assert chance.mean() > 0.6


def test_the_optimum_itself_abstains():
    base = Linear()
    images = base.images(MARGINS)
    tie = images - base.margin(images)[:, None, None, None] * base.w.view(1, 1, 8, 8)
    assert float(base.margin(tie).abs().max()) < 1e-5
    assert float(abstention_probability(torch.tensor([[0.5, 0.5]]), N, ALPHA)) > 0.99
