"""The attack without a query goes on from the landing, if it knows how far off the surrogates are."""

from __future__ import annotations

import pytest
import torch
from attacks_world import DEPLOYMENT, MARGINS, Perfect, abstention, norms, not_asked, streams

from attacks import ATTACKS, Transfer

# On a CPU without bfloat16 instructions networks that cannot be rewritten are computed as they are, which is said.
pytestmark = pytest.mark.filterwarnings("ignore:the base classifier is computed as it is:UserWarning")


def test_same_data_transfer_goes_on_from_the_landing():
    """And stays about the tie where there is no other: 64 samples a step place it less exactly than landing does."""
    world = Perfect(len(MARGINS))
    model = Transfer(not_asked, world.surrogate, DEPLOYMENT, world.meter)
    images = world.base.images(MARGINS)
    attack = ATTACKS["same-data-transfer"](error=0.3)
    adversarial = attack(model, images, torch.zeros(len(MARGINS)), 1.0, streams(len(MARGINS)))
    assert float(norms(adversarial - images).max()) <= 1.0
    assert float(abstention(world.base, adversarial).mean()) > 0.4
    landed = ATTACKS["same-data-transfer"]()(model, images, torch.zeros(len(MARGINS)), 1.0, streams(len(MARGINS)))
    assert not torch.equal(landed, adversarial)


def test_rows_from_before_there_was_an_error_keep_their_key():
    cls = ATTACKS["same-data-transfer"]
    assert "error" not in cls().parameters()
    assert cls(error=0.6).parameters()["error"] == 0.6
