"""The random direction has the budget's length, and another for each image."""

from __future__ import annotations

import pytest
import torch
from attacks_world import DEPLOYMENT, norms, streams

from attacks import Meter, NoAccess
from attacks.control.gaussian import Gaussian


def test_it_is_as_long_as_the_budget_where_the_box_allows():
    images = torch.full((20, 1, 8, 8), 0.5)
    images[10:] = 0.0
    model = NoAccess(DEPLOYMENT, Meter(20))
    adversarial = Gaussian()(model, images, torch.zeros(20), 0.5, streams(20))
    length = norms(adversarial - images)
    assert length[:10].tolist() == pytest.approx([0.5] * 10, rel=1e-4)
    assert float(length[10:].max()) < 0.5, "half of the pixels would be below 0"
    delta = (adversarial - images)[:10].flatten(1)
    assert float((delta @ delta.T - torch.diag(length[:10] ** 2)).abs().max()) < 0.25 * 0.5
