"""The search by labels alone, against the closed form: on a linear target the nearest tie lies at the margin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from attacks_world import ALPHA, SIGMA, Linear, N, streams
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from attacks import Decision, Deployment, Meter
from attacks.decision.belief import HOME, OTHER, TIE, Belief
from attacks.decision.image_directions import OwnImages
from attacks.decision.level_set import LevelSet
from attacks.search.landing import half_band
from targets.abstention import abstention_probability
from targets.binomial import decide
from targets.noise import Streams
from targets.smoothing import ABSTAIN

BASE = Linear()
EXCESS = 1.5
"""Distance allowed, as a multiple of the closed-form optimum."""


class Target:
    """Exact PREDICT of the linear target, which writes down what it is asked."""

    def __init__(self, images: int, query_budget: int | None = None) -> None:
        self.asked: list[list[Tensor]] = [[] for _ in range(images)]
        self.answers: list[list[int]] = [[] for _ in range(images)]
        self.meter = Meter(images, query_budget)
        self.model = Decision(self._predict, self._own, Deployment(2, (1, 8, 8), SIGMA, N, ALPHA), self.meter)

    def _predict(self, images: Tensor, rows: Sequence[int], ordinals: Sequence[int]) -> NDArray[np.int64]:
        p = ndtr(BASE.margin(images).double().numpy() / SIGMA)
        draws = [np.random.default_rng(key) for key in zip(rows, ordinals, strict=True)]
        first = [draw.binomial(N, q) for draw, q in zip(draws, p, strict=True)]
        labels = decide(np.stack([first, N - np.array(first)], axis=1), ALPHA, ABSTAIN)
        for image, row, label in zip(images, rows, labels.tolist(), strict=True):
            self.asked[row].append(image)
            self.answers[row].append(label)
        return labels

    @staticmethod
    def _own() -> Tensor:
        return BASE.images(torch.linspace(-0.8, 0.8, 200).tolist())


def attack(target: Target, images: Tensor, epsilon: float, **settings: float) -> Tensor:
    labels = torch.zeros(len(images), dtype=torch.int64)
    return LevelSet(**settings)(target.model, images, labels, epsilon, streams(len(images)))


def abstention(images: Tensor) -> Tensor:
    p = torch.from_numpy(ndtr(BASE.margin(images).double().numpy() / SIGMA))
    return abstention_probability(torch.stack([p, 1 - p], dim=1), N, ALPHA)


def norms(delta: Tensor) -> Tensor:
    return delta.flatten(1).norm(dim=1)


@pytest.mark.parametrize("margin", [0.15, 0.3, 0.45])
def test_a_hundred_queries_find_a_tie_little_farther_than_the_nearest(margin: float):
    images = BASE.images([margin, -margin] * 3)
    target = Target(len(images))
    adversarial = attack(target, images, EXCESS * margin)
    assert float(norms(adversarial - images).max()) <= EXCESS * margin
    assert float(abstention(adversarial).mean()) > 0.8
    assert max(map(len, target.asked)) <= 100


def test_an_image_that_abstains_is_left_alone():
    images = BASE.images([0.0, 0.0])
    target = Target(2)
    assert torch.equal(attack(target, images, 1.0), images)
    assert target.answers == [[ABSTAIN] * 3] * 2


def test_it_stops_at_an_abstention_inside_epsilon_that_comes_again():
    images = BASE.images([0.2, -0.25, 0.3])
    target = Target(len(images))
    adversarial = attack(target, images, 0.6, confirm=1)
    for row, (asked, answers) in enumerate(zip(target.asked, target.answers, strict=True)):
        inside = [bool((point - images[row]).norm() <= 0.6) for point in asked]
        stops = [
            i
            for i in range(1, len(asked))
            if inside[i] and answers[i - 1] == answers[i] == ABSTAIN and torch.equal(asked[i - 1], asked[i])
        ]
        assert stops == [len(asked) - 1]
        assert torch.equal(adversarial[row], asked[-1])


def test_a_smaller_budget_asks_the_same_and_comes_back_with_its_best():
    images = BASE.images([0.3, -0.3])
    free, short = Target(2), Target(2, query_budget=14)
    attack(free, images, 0.4)
    adversarial = attack(short, images, 0.4)
    assert short.meter.queries.tolist() == [14, 14]
    for row in range(2):
        assert len(free.asked[row]) > 14
        assert torch.equal(torch.stack(short.asked[row]), torch.stack(free.asked[row][:14]))
    assert float(norms(adversarial - images).max()) <= 0.4
    assert bool((BASE.margin(adversarial).abs() < BASE.margin(images).abs()).all()), "no nearer to the tie"


def test_where_no_other_label_is_found_the_original_is_sent():
    images = BASE.images([0.3])
    target = Target(1, query_budget=2)
    assert torch.equal(attack(target, images, 0.4), images)


def test_an_image_gets_alone_what_it_gets_in_a_batch():
    images = BASE.images([0.3, -0.3, 0.2])
    together = attack(Target(3), images, 0.4, queries=25)
    target = Target(1)
    target.model._predict = lambda points, rows, ordinals: Target(3)._predict(points, [0] * len(rows), ordinals)
    labels = torch.zeros(1, dtype=torch.int64)
    alone = LevelSet(queries=25)(target.model, images[:1], labels, 0.4, Streams((0, "test"), [0]))
    assert torch.equal(alone[0], together[0])


@pytest.fixture
def belief() -> Belief:
    rng = np.random.default_rng(1)
    belief = Belief(np.full(6, 1 / 6), spread=0.6, length=2.0, band=0.07, blur=0.05)
    slope = np.array([0.4, 0.2, 0.0, -0.1, 0.0, 0.3])
    for point in 3 * rng.standard_normal((60, 6)):
        distance = 0.3 - point @ slope
        belief.add(point, TIE if abs(distance) < 0.07 else HOME if distance > 0 else OTHER)
    return belief


def test_a_belief_learns_a_plane_from_labels(belief: Belief):
    slope = np.array([0.4, 0.2, 0.0, -0.1, 0.0, 0.3])
    learnt = -belief.gradient(np.zeros(6))
    assert learnt @ slope > 0.95 * np.linalg.norm(learnt) * np.linalg.norm(slope)
    tie = 0.3 * slope / (slope @ slope)
    points = np.stack([0 * tie, tie, 2.5 * tie])
    mean = belief.mean(points)
    assert mean[0] > 0.07 > abs(mean[1])
    assert mean[2] < -0.03
    assert belief.tie_probability(points).argmax() == 1


def test_a_belief_is_consistent(belief: Belief):
    point = np.array([0.3, -0.5, 0.2, 0.1, 0.9, -0.4])
    steps = 1e-5 * np.eye(6)
    numeric = (belief.mean(point + steps) - belief.mean(point - steps)) / 2e-5
    assert np.allclose(belief.gradient(point), numeric, atol=1e-6)
    places = np.array([0.0, 0.5, 2.0])
    assert np.allclose(belief.mean_along(point, places), belief.mean(places[:, None] * point))
    before = belief.variance(point[None])
    belief.add(point, TIE)
    assert 0 < belief.variance(point[None]) < before


def test_own_images_span_their_differences_and_weigh_what_noise_leaves():
    own = OwnImages.of(Target._own(), SIGMA, count=40, dimensions=64, decay=1.0)
    assert own.images.shape == (40, 64)
    assert np.allclose(own.directions.T @ own.directions, np.eye(own.directions.shape[1]), atol=1e-9)
    centred = own.images - own.images.mean(0)
    assert np.allclose(centred @ own.directions @ own.directions.T, centred, atol=1e-9)
    variances = (centred @ own.directions).var(0)
    expected = variances / (variances + SIGMA**2)
    assert np.allclose(own.weights, expected / expected.sum())
    assert abs(own.directions[:, 0] @ BASE.w.double().numpy()) > 0.95
    every = OwnImages.of(Target._own(), SIGMA, count=1000, dimensions=10, decay=1.0)
    assert every.images.shape == (200, 64)
    assert every.directions.shape == (64, 10)
    assert abs(every.directions[:, 0] @ BASE.w.double().numpy()) > 0.95
    near, far = own.towards(own.images[7], 5)[0], own.towards(own.images[7], 5)[-1]
    assert np.linalg.norm(near) == 0 < np.linalg.norm(far)


@pytest.mark.parametrize(("n", "width"), [(100, 0.440), (1_000, 0.133), (10_000, 0.042)])
def test_half_the_band(n: int, width: float):
    assert half_band(n, 0.001) == pytest.approx(width, abs=0.001)
