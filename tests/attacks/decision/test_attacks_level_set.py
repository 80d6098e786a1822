"""The search by labels alone, against the closed form: on a linear target the nearest tie lies at the margin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from attacks_world import ALPHA, DEPLOYMENT, SIGMA, Linear, N, abstention, norms, streams
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from attacks import Decision, Meter
from attacks.decision.level_set import LevelSet
from targets.binomial import decide
from targets.noise import Streams
from targets.smoothing import ABSTAIN

BASE = Linear()
EXCESS = 1.5
"""Distance allowed, as a multiple of the closed-form optimum."""


def own_images() -> Tensor:
    return BASE.images(torch.linspace(-0.8, 0.8, 200).tolist())


class Target:
    """Exact PREDICT of the linear target, which writes down what it is asked.

    Args:
        rows: the image whose noise each row of the batch has; the row itself without.
    """

    def __init__(self, images: int, query_budget: int | None = None, rows: Sequence[int] | None = None) -> None:
        self.rows = rows or range(images)
        self.asked: list[list[Tensor]] = [[] for _ in range(images)]
        self.answers: list[list[int]] = [[] for _ in range(images)]
        self.meter = Meter(images, query_budget)
        self.model = Decision(self.predict, own_images, DEPLOYMENT, self.meter)

    def predict(self, images: Tensor, rows: Sequence[int], ordinals: Sequence[int]) -> NDArray[np.int64]:
        p = ndtr(BASE.margin(images).double().numpy() / SIGMA)
        draws = [np.random.default_rng(key) for key in zip([self.rows[row] for row in rows], ordinals, strict=True)]
        first = [draw.binomial(N, q) for draw, q in zip(draws, p, strict=True)]
        labels = decide(np.stack([first, N - np.array(first)], axis=1), ALPHA, ABSTAIN)
        for image, row, label in zip(images, rows, labels.tolist(), strict=True):
            self.asked[row].append(image)
            self.answers[row].append(label)
        return labels


def attack(target: Target, images: Tensor, epsilon: float, **settings: float) -> Tensor:
    labels = torch.zeros(len(images), dtype=torch.int64)
    return LevelSet(**settings)(target.model, images, labels, epsilon, streams(len(images)))


@pytest.mark.parametrize("margin", [0.15, 0.3, 0.45])
def test_a_hundred_queries_find_a_tie_little_farther_than_the_nearest(margin: float):
    images = BASE.images([margin, -margin] * 3)
    target = Target(len(images))
    adversarial = attack(target, images, EXCESS * margin)
    assert float(norms(adversarial - images).max()) <= EXCESS * margin
    assert float(abstention(BASE, adversarial).mean()) > 0.8
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
    labels = torch.zeros(1, dtype=torch.int64)
    model = Target(1, rows=[1]).model
    alone = LevelSet(queries=25)(model, images[1:2], labels, 0.4, Streams((0, "test"), [1]))
    assert torch.equal(alone[0], together[1])
