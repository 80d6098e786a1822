"""Surrogates that are smoothed together, and how an attack's fields describe them."""

from __future__ import annotations

import pytest
import torch
from attacks_world import DEPLOYMENT, SIGMA, Linear, not_asked
from torch import nn

from attacks import ATTACKS, Meter, Transfer
from attacks.ensemble import smoothed, trained_on_answers, trained_on_same_data

# On a CPU without bfloat16 instructions networks that cannot be rewritten are computed as they are, which is said.
pytestmark = pytest.mark.filterwarnings("ignore:the base classifier is computed as it is:UserWarning")


def test_their_probabilities_are_the_geometric_mean_and_the_target_is_charged_nothing():
    meter = Meter(3)
    model = Transfer(not_asked, not_asked, DEPLOYMENT, meter)
    members: list[nn.Module] = [Linear(2.0), Linear(6.0)]
    images = Linear().images([0.1, -0.2, 0.3])
    together = smoothed(model, members, 3)
    p = together.logits(images, torch.zeros(3, 1, 1, 8, 8))[:, 0].softmax(1)
    each = torch.stack([member(images).log_softmax(1) for member in members])
    assert torch.allclose(p, each.mean(0).exp() / each.mean(0).exp().sum(1, keepdim=True), atol=0.01)
    assert together.sigma == SIGMA
    assert meter.queries.sum() == meter.forward.sum() == 0


@pytest.mark.parametrize("same_data", [False, True])
def test_the_fields_say_how_many_there_are_and_the_target_which_noise(same_data):
    keys = []

    def surrogate(key, build, fit):
        keys.append(key)
        return Linear()

    either = (not_asked, surrogate) if same_data else (surrogate, not_asked)
    attack = ATTACKS["same-data-transfer"](members=3, epochs=7)
    train = trained_on_same_data if same_data else trained_on_answers
    train(attack, Transfer(*either, DEPLOYMENT, Meter(2)), 2)
    assert [key.rpartition("member=")[2] for key in keys] == ["0)", "1)", "2)"]
    assert all(f"epochs=7, batch=64, learning_rate=0.05, abstention=False, sigma={SIGMA}" in key for key in keys)
