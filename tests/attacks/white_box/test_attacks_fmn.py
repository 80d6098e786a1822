"""The minimum-norm search against the closed form."""

from __future__ import annotations

import numpy as np
import torch
from attacks_world import SIGMA, Linear, norms, streams, white_box

from attacks.search.problem import Problem
from attacks.white_box.fmn import FastMinimumNorm


def test_the_minimum_norm_search_stops_just_beyond_the_boundary():
    base = Linear()
    margins = [0.1, 0.2, 0.3, 0.4]
    images = base.images(margins)
    model, _ = white_box(base, 4)
    search = FastMinimumNorm(steps=24, samples=64, step_size=0.5, gamma=0.2, overshoot=0.3)
    found = search(Problem(model, images, torch.zeros(4, dtype=torch.int64), 1.0, streams(4)), range(4))
    # A gap of -0.3 lies 0.15σ beyond the tie; an estimate of 64 samples errs by as much.
    assert np.all(np.abs(norms(found - images).numpy() - np.array(margins)) < 0.6 * SIGMA)
