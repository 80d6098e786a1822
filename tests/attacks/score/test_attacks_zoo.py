"""ZOO on vote counts without noise: it goes down the margin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import DEPLOYMENT, SIGMA, Linear, norms, streams
from scipy.special import ndtr

from attacks import Meter, Score
from attacks.score.zoo import ZOO

BASE = Linear()


def attacked(attack: ZOO, budget: int | None = None):
    """(margins before, margins after, meter, perturbations); votes are expectations."""
    images = BASE.images([0.2, -0.2])
    meter = Meter(2, budget)

    def votes(points, rows, ordinals, samples):
        first = np.rint(samples * ndtr(BASE.margin(points).double().numpy() / SIGMA)).astype(np.int64)
        return np.stack([first, samples - first], 1)

    adversarial = attack(Score(votes, DEPLOYMENT, meter), images, torch.zeros(2), 0.5, streams(2))
    return BASE.margin(images).abs(), BASE.margin(adversarial).abs(), meter, adversarial - images


def test_it_comes_nearer_to_the_tie_inside_the_ball():
    before, after, meter, delta = attacked(ZOO(steps=20, samples=10_000, learning_rate=0.02))
    assert bool((after < 0.7 * before).all())
    assert float(norms(delta).max()) <= 0.5
    assert meter.queries.tolist() == [20 * 10 * 2] * 2


@pytest.mark.parametrize(("budget", "queries"), [(1, 0), (2, 2), (25, 24)])
def test_the_last_step_takes_what_is_left(budget, queries):
    assert attacked(ZOO(), budget)[2].queries.tolist() == [queries] * 2
