"""Attacks that cross and land: what they move, what they leave alone and what they cost."""

from __future__ import annotations

import pytest
import torch
from attacks_world import ALPHA, SIGMA, Linear, N, streams, white_box
from scipy.special import ndtr

from attacks import ATTACKS, Deployment, Meter, WhiteBox
from targets.abstention import abstention_probability

LANDING = ["cross-and-land", "fmn", "apgd", "ddn"]


@pytest.mark.parametrize("name", LANDING)
def test_an_image_whose_votes_are_all_for_one_class_is_moved_too(name):
    """Ten σ from the tie and with logits of hundreds, neither votes nor probabilities have a gradient."""
    base = Linear(sharpness=200.0)
    margins = [0.4, -0.4, 0.5]
    images = base.images(margins)
    model = WhiteBox(base, Deployment(2, (1, 8, 8), 0.04, N, ALPHA), Meter(3))
    adversarial = ATTACKS[name]()(model, images, torch.zeros(3, dtype=torch.int64), 1.0, streams(3))
    assert float(base.margin(adversarial).abs().max()) < 0.04


@pytest.mark.parametrize("name", LANDING)
def test_nothing_is_spent_on_an_image_that_its_ceiling_rules_out(name):
    base = Linear()
    images = base.images([0.6, 0.1])
    model, meter = white_box(base, 2)
    attack = ATTACKS[name]()
    # Φ(0.6 / σ) is so near 1 that no tie lies within 0.1.
    adversarial = attack(model, images, torch.zeros(2, dtype=torch.int64), 0.1, streams(2))
    assert torch.equal(adversarial[0], images[0])
    assert meter.forward[0] == attack.clean_samples
    assert meter.backward[0] == 0 < meter.backward[1]


@pytest.mark.parametrize("n", [1000, 10_000])
def test_the_landing_grows_with_n_as_the_band_shrinks(n):
    base = Linear()
    margins = [0.15, 0.25, 0.35, 0.45, -0.2, -0.4]
    images = base.images(margins)
    meter = Meter(6)
    model = WhiteBox(base, Deployment(2, (1, 8, 8), SIGMA, n, ALPHA), meter)
    adversarial = ATTACKS["cross-and-land"]()(model, images, torch.zeros(6, dtype=torch.int64), 1.0, streams(6))
    p = torch.from_numpy(ndtr(base.margin(adversarial).double().numpy() / SIGMA))
    assert float(abstention_probability(torch.stack([p, 1 - p], dim=1), n, ALPHA).mean()) > 0.9
    assert meter.forward.max() < 3 * n + 3000


@pytest.mark.parametrize("name", LANDING)
def test_antithetic_noise_lands_nearer_to_the_tie_at_no_cost(name):
    base = Linear()
    margins = [0.15, 0.25, 0.35, -0.15, -0.25, -0.35] * 4
    images, labels = base.images(margins), torch.zeros(24, dtype=torch.int64)

    def land(antithetic):
        model, meter = white_box(base, 24)
        attack = ATTACKS[name](antithetic=antithetic, landing_share=0.05)
        return base.margin(attack(model, images, labels, 1.0, streams(24))).square().mean().sqrt(), meter.forward

    (independent, paid), (antithetic, cost) = land(False), land(True)
    # The error of 50 votes at the tie is 0.18 in the probit, and a quarter of that in distance.
    assert antithetic < 0.3 * independent
    assert cost.sum() <= 1.1 * paid.sum()


def test_a_field_at_its_default_that_older_results_lack_is_not_in_the_key():
    assert "antithetic" not in ATTACKS["cross-and-land"]().parameters()
    assert ATTACKS["cross-and-land"](antithetic=True).parameters()["antithetic"] is True
