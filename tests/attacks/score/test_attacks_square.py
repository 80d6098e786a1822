"""The patches that the random search is made of."""

from __future__ import annotations

import pytest
import torch
from attacks_world import streams

from attacks.score.square import patch


@pytest.mark.parametrize(
    ("shape", "side", "pixels"), [((3, 10, 10), 0.6, 36), ((1, 8, 4), 0.5, 8), ((1, 8, 8), 0.01, 1)]
)
def test_a_patch_has_norm_one_and_covers_its_square_alone(shape, side, pixels):
    bump = patch(shape, side, streams(1)[0])
    assert bump.shape == shape
    assert float(bump.norm()) == pytest.approx(1.0, rel=1e-5)
    for channel in bump:
        assert int((channel != 0).sum()) == pixels
        assert bool((channel >= 0).all()) != bool((channel <= 0).all()), "one sign a channel"
    assert torch.equal((bump != 0).all(0), (bump != 0).any(0)), "the same place in every channel"
