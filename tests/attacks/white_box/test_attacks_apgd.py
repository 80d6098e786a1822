"""Auto-PGD's checkpoints, as the paper has them."""

from __future__ import annotations

from attacks.white_box.apgd import checkpoint_steps


def test_croce_and_heins_checkpoints():
    assert list(checkpoint_steps(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(checkpoint_steps(100).values()) == [22, 19, 16, 13, 10, 7, 6, 6]
