"""Landing on the tie, by estimates and by labels, on segments whose tie is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attacks_world import ALPHA, SIGMA, Linear, N
from scipy.special import ndtr, ndtri
from torch import Tensor

from attacks.search.landing import land, land_by_labels, probit_gap
from targets import ABSTAIN
from targets.abstention import abstention_probability
from targets.binomial import decide

COUNT = 200


class Segment:
    """One-pixel images from 0 to ``end``, on which the gap falls from ``start`` along a parabola, and its estimates."""

    def __init__(self, start: float, slope: float, bend: float, end: float) -> None:
        self.start, self.slope, self.bend, self.end = start, slope, bend, end
        self.random = np.random.default_rng(0)
        self.images = torch.zeros(COUNT, 1, 1, 1)
        self.adversarial = torch.full((COUNT, 1, 1, 1), end)
        self.home = torch.zeros(COUNT, dtype=torch.int64)
        self.asked: list[tuple[int, int]] = []

    def gap(self, points: Tensor) -> np.ndarray:
        t = points[:, 0, 0, 0].double().numpy()
        return self.start - self.slope * t + self.bend * t * (self.end - t)

    def probabilities(self, points: Tensor, rows: list[int], samples: int) -> Tensor:
        """Three classes, the third with a tenth of the mass."""
        self.asked.append((len(rows), samples))
        low, high = np.full(len(points), 1e-4), np.full(len(points), 0.9 - 1e-4)
        for _ in range(40):
            middle = (low + high) / 2
            below = ndtri(middle) - ndtri(0.9 - middle) < self.gap(points)
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        exact = np.stack([low, 0.9 - low, np.full_like(low, 0.1)], axis=1)
        votes = self.random.multinomial(samples, exact / exact.sum(1, keepdims=True))
        return torch.from_numpy((votes + 0.33) / (samples + 1))


# Where the ends of a segment are off the straight line between them, the secant misses the tie by 0.1 to 0.3.
@pytest.mark.parametrize(
    ("start", "slope", "bend", "end"),
    [
        *[(0.2, 2.5, 0, 0.25), (1.5, 2.8, 0, 0.7), (1.5, 2.8, 2, 0.7), (1.5, 2.8, -2, 0.7), (2.8, 3.2, -1.5, 1.0)],
        *[(7.0, 16.0, 0, 1.0), (20.0, 60.0, 0, 1.0)],  # many σ long, at a small σ
    ],
)
def test_it_lands_within_the_band_of_ties_with_about_n_samples(start, slope, bend, end):
    segment = Segment(start, slope, bend, end)
    clean_gap = probit_gap(segment.probabilities(segment.images, range(COUNT), 200), segment.home)
    landed = land(segment.probabilities, segment.images, segment.adversarial, segment.home, clean_gap, 250, 4)
    left = segment.gap(landed)
    assert abs(left.mean()) < 0.03
    # At n = 1,000 PREDICT abstains half of the time at a gap of 2 · 0.133.
    assert np.mean(np.abs(left) < 2 * 0.133) > 0.95
    assert sum(rows * samples for rows, samples in segment.asked[1:]) <= 1500 * COUNT


@pytest.mark.parametrize("known", [False, True])
def test_it_lands_beyond_the_tie_where_that_is_wanted(known):
    segment = Segment(1.5, 4.0, 0.0, 0.7)
    home, clean_gap = segment.home, torch.full((COUNT,), 1.5)
    end_gap = torch.full((COUNT,), 1.5 - 4.0 * 0.7) if known else None
    landed = land(
        segment.probabilities, segment.images, segment.adversarial, home, clean_gap, 250, 4, end_gap, beyond=0.4
    )
    assert abs(segment.gap(landed).mean() + 0.4) < 0.03


def test_an_end_that_is_less_far_across_than_wanted_stays():
    segment = Segment(1.5, 4.0, 0.0, 0.425)
    clean_gap = torch.full((COUNT,), 1.5)
    landed = land(
        segment.probabilities, segment.images, segment.adversarial, segment.home, clean_gap, 250, 4, beyond=0.8
    )
    assert torch.equal(landed, segment.adversarial)


def test_what_was_not_across_stays_and_what_did_not_move_costs_nothing():
    segment = Segment(2.0, 1.0, 0.0, 1.0)
    segment.adversarial[:50] = 0.0
    clean_gap = torch.full((COUNT,), 2.0)
    landed = land(segment.probabilities, segment.images, segment.adversarial, segment.home, clean_gap, 250, 4)
    assert torch.equal(landed, segment.adversarial)
    assert segment.asked == [(150, 250)]


def test_what_is_known_of_the_far_end_is_not_asked_again():
    segment = Segment(1.0, 4.0, 0.0, 0.5)
    ends = torch.full((COUNT,), -1.0)
    landed = land(segment.probabilities, segment.images, segment.adversarial, segment.home, -ends, 250, 2, ends)
    assert segment.asked == [(COUNT, 250)] * 2
    assert abs(segment.gap(landed).mean()) < 0.05


class Oracle:
    """PREDICT on the linear target, exactly."""

    def __init__(self) -> None:
        self.base = Linear()
        self.random = np.random.default_rng(0)
        self.asked = np.zeros(100, dtype=int)

    def __call__(self, points: Tensor, rows: list[int]) -> Tensor:
        self.asked[rows] += 1
        p = ndtr(self.base.margin(points).double().numpy() / SIGMA)
        votes = self.random.binomial(N, p)
        return torch.from_numpy(decide(np.stack([votes, N - votes], axis=1), ALPHA, ABSTAIN))


def segments(margins: list[float], beyond: list[float]) -> tuple[Oracle, Tensor, Tensor, Tensor]:
    oracle = Oracle()
    images = oracle.base.images(margins)
    across = images - (torch.tensor(margins) + torch.tensor(beyond))[:, None, None, None] * oracle.base.w.view(1, 8, 8)
    return oracle, images, across, torch.zeros(len(margins), dtype=torch.int64)


def test_labels_alone_find_the_tie_in_a_few_queries():
    margins = np.linspace(0.15, 0.8, 40).tolist()
    oracle, images, across, home = segments(margins, [0.5] * 40)
    landed, crossed = land_by_labels(oracle, images, across, home, [15] * 40)
    assert crossed.all()
    assert float(oracle.base.margin(landed).abs().max()) < 0.3 * SIGMA
    # The band is 0.27σ wide and the segments up to 5.2σ long: one query at the end, then log₂(5.2 / 0.27) or fewer,
    # and one to confirm, which sends some back that were on its edge.
    assert oracle.asked[:40].max() <= 12
    assert oracle.asked[:40].mean() < 6


def test_a_good_first_guess_saves_queries():
    margins = [0.2, 0.4, 0.6]
    oracle, images, across, home = segments(margins, [0.4] * 3)
    guess = torch.tensor([m / (m + 0.4) for m in margins])
    _, crossed = land_by_labels(oracle, images, across, home, [15] * 3, guess)
    assert crossed.all()
    assert oracle.asked[:3].tolist() == [2, 2, 2]


def test_each_image_keeps_to_its_queries_and_stops_where_there_is_no_boundary():
    oracle, images, across, home = segments([0.4] * 4, [0.4, 0.4, 0.4, -0.2])
    landed, crossed = land_by_labels(oracle, images, across, home, [0, 1, 2, 9], torch.tensor([1.0, 0.05, 0.05, 0.05]))
    assert oracle.asked[:4].tolist() == [0, 1, 2, 2]
    assert crossed.tolist() == [False, False, True, False]
    assert torch.equal(landed[0], across[0])
    assert torch.equal(landed[1], across[1])  # the near point is known: its next question was the far end
    assert 0.01 < float((landed[2] - images[2]).norm()) < float((across[2] - images[2]).norm())
    assert torch.equal(landed[3], across[3])


def test_confirming_moves_from_the_edge_of_the_band_to_its_middle():
    margins = [0.4] * 100
    mean = []
    for confirm in (0, 2):
        oracle, images, across, home = segments(margins, [0.4] * 100)
        # Where PREDICT abstains in half of all runs.
        edge = torch.full((100,), (0.4 - 0.133 * SIGMA) / 0.8)
        landed, _ = land_by_labels(oracle, images, across, home, [15] * 100, edge, confirm)
        p = torch.from_numpy(ndtr(oracle.base.margin(landed).double().numpy() / SIGMA))
        mean.append(float(abstention_probability(torch.stack([p, 1 - p], dim=1), N, ALPHA).mean()))
    assert mean[0] < 0.8 < 0.85 < mean[1]
