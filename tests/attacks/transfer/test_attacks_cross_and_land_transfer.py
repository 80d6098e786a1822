"""Attacks on surrogates alone, where the surrogate is the target itself."""

from __future__ import annotations

import pytest
import torch
from attacks_world import DEPLOYMENT, MARGINS, Perfect, abstention, not_asked, streams

from attacks import ATTACKS, Transfer

# On a CPU without bfloat16 instructions networks that cannot be rewritten are computed as they are, which is said.
pytestmark = pytest.mark.filterwarnings("ignore:the base classifier is computed as it is:UserWarning")


@pytest.mark.parametrize("same_data", [False, True])
def test_without_a_query_the_transfer_lands_on_the_surrogates_tie(same_data):
    world = Perfect(len(MARGINS))
    surrogates = (not_asked, world.surrogate) if same_data else (world.surrogate, not_asked)
    model = Transfer(*surrogates, DEPLOYMENT, world.meter)
    images = world.base.images(MARGINS)
    attack = ATTACKS["same-data-transfer" if same_data else "cross-and-land-transfer"]()
    adversarial = attack(model, images, torch.zeros(len(MARGINS)), 1.0, streams(len(MARGINS)))
    assert float(abstention(world.base, adversarial).mean()) > 0.85
    assert world.meter.queries.sum() == world.meter.forward.sum() == 0
