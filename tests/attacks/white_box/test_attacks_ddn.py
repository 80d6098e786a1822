"""The search that turns and scales in turn, against the closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import SIGMA, Linear, norms, streams, white_box

from attacks.search.problem import Problem
from attacks.white_box.ddn import DecoupledDirectionNorm


def search(margins: list[float], epsilon: float, steps: int = 40) -> np.ndarray:
    """Norms (N,) of what it finds."""
    base = Linear()
    images = base.images(margins)
    model, _ = white_box(base, len(margins))
    find = DecoupledDirectionNorm(steps=steps, samples=64, step_size=1.0, gamma=0.05, overshoot=0.3)
    problem = Problem(model, images, torch.zeros(len(margins), dtype=torch.int64), epsilon, streams(len(margins)))
    return norms(find(problem, range(len(margins))) - images).numpy()


def test_the_radius_shrinks_to_just_beyond_the_boundary():
    margins = [0.2, 0.3, 0.4]
    # A gap of -0.3 lies 0.15σ beyond the tie; an estimate of 64 samples errs by as much.
    assert np.all(np.abs(search(margins, 1.0) - np.array(margins)) < 0.6 * SIGMA)


def test_an_image_that_stays_before_the_boundary_is_sent_to_the_rim():
    assert search([0.4, 0.5], 0.25) == pytest.approx([0.25, 0.25], rel=1e-4)


def test_each_step_changes_the_radius_by_the_same_share():
    """From epsilon down: the nearest of a few steps is epsilon times a power of 0.95."""
    assert search([0.05], 1.0, steps=4) == pytest.approx([0.95**2], rel=1e-4)
