"""The closed-form target: what is said of it is what PREDICT does."""

from __future__ import annotations

import numpy as np
import torch

from benchmark.kit.plane import ALPHA, EPSILON, MARGINS, SAMPLES, SIGMA, Plane, data_set, split, target
from targets import ABSTAIN


def test_margins_are_distances_to_the_tie():
    base = Plane()
    images = base.with_margins(torch.tensor(MARGINS), seed=4)
    np.testing.assert_allclose(base.margin(images), MARGINS, atol=1e-6)
    tie = images.double() - base.margin(images)[:, None, None, None] * base.normal
    np.testing.assert_allclose(base.margin(tie), 0, atol=1e-9)
    assert 0 < float(tie.min()) < float(tie.max()) < 1  # the optimum is never outside the box


def test_votes_and_abstention_are_those_of_the_closed_form():
    base, images = Plane(), split("evaluation").images
    votes = target().votes(images, 4000)
    p = torch.special.ndtr(base.margin(images) / SIGMA).numpy()
    np.testing.assert_allclose(votes[:, 0] / 4000, p, atol=0.03)
    answers = np.stack([target().predict(images, SAMPLES, ALPHA, seed=seed) for seed in range(30)])
    np.testing.assert_allclose((answers == ABSTAIN).mean(0), base.abstention(images), atol=0.25)
    assert abs((answers == ABSTAIN).mean() - base.abstention(images).mean()) < 0.05


def test_the_best_is_the_tie_where_it_is_within_reach():
    base, images = Plane(), split("evaluation").images
    best = base.best(images, EPSILON)
    reach = np.abs(MARGINS) <= EPSILON
    assert np.all(best[reach] > 0.99)
    assert np.all(best[~reach] < 0.01)
    assert np.all(best >= base.abstention(images) - 1e-9)


def test_its_splits_are_those_of_a_data_set():
    found = data_set()
    for name in ("train", "adversary", "evaluation"):
        assert set(found.split(name).labels.tolist()) == {0, 1}
    labels = found.split("evaluation").labels
    assert int((labels != (torch.tensor(MARGINS) < 0).long()).sum()) == 1  # the true one, and not the target's answer
