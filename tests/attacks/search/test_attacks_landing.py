"""Landing on the tie by estimates, on segments whose tie is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import ndtri
from torch import Tensor

from attacks.search.landing import BISECTIONS, Landing, Segments
from attacks.search.probit_gap import probit_gap

COUNT = 200


class Line:
    """One-pixel images from 0 to ``end``, on which the gap falls from ``start`` along a parabola, and its estimates."""

    def __init__(self, start: float, slope: float, bend: float, end: float) -> None:
        self.start, self.slope, self.bend, self.end = start, slope, bend, end
        self.random = np.random.default_rng(0)
        self.images = torch.zeros(COUNT, 1, 1, 1)
        self.adversarial = torch.full((COUNT, 1, 1, 1), end)
        self.home = torch.zeros(COUNT, dtype=torch.int64)
        self.asked: list[tuple[int, int]] = []

    def segments(self, clean_gap: Tensor, end_gap: Tensor | None = None) -> Segments:
        return Segments(self.images, self.adversarial, self.home, clean_gap, end_gap)

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
    line = Line(start, slope, bend, end)
    clean_gap = probit_gap(line.probabilities(line.images, range(COUNT), 200), line.home)
    landed = Landing(line.probabilities, 250, 4)(line.segments(clean_gap))
    left = line.gap(landed)
    assert abs(left.mean()) < 0.03
    # At n = 1,000 PREDICT abstains half of the time at a gap of 2 · 0.133.
    assert np.mean(np.abs(left) < 2 * 0.133) > 0.95
    assert sum(rows * samples for rows, samples in line.asked[1:]) <= 1500 * COUNT


@pytest.mark.parametrize("known", [False, True])
def test_it_lands_beyond_the_tie_where_that_is_wanted(known):
    line = Line(1.5, 4.0, 0.0, 0.7)
    clean_gap = torch.full((COUNT,), 1.5)
    end_gap = torch.full((COUNT,), 1.5 - 4.0 * 0.7) if known else None
    landed = Landing(line.probabilities, 250, 4, beyond=0.4)(line.segments(clean_gap, end_gap))
    assert abs(line.gap(landed).mean() + 0.4) < 0.03


def test_an_end_that_is_less_far_across_than_wanted_stays():
    line = Line(1.5, 4.0, 0.0, 0.425)
    clean_gap = torch.full((COUNT,), 1.5)
    landed = Landing(line.probabilities, 250, 4, beyond=0.8)(line.segments(clean_gap))
    assert torch.equal(landed, line.adversarial)


def test_what_was_not_across_stays_and_what_did_not_move_costs_nothing():
    line = Line(2.0, 1.0, 0.0, 1.0)
    line.adversarial[:50] = 0.0
    clean_gap = torch.full((COUNT,), 2.0)
    landed = Landing(line.probabilities, 250, 4)(line.segments(clean_gap))
    assert torch.equal(landed, line.adversarial)
    assert line.asked == [(150, 250)]


def test_what_is_known_of_the_far_end_is_not_asked_again():
    line = Line(1.0, 4.0, 0.0, 0.5)
    ends = torch.full((COUNT,), -1.0)
    landed = Landing(line.probabilities, 250, 2)(line.segments(-ends, ends))
    assert line.asked == [(COUNT, 250)] * 2
    assert abs(line.gap(landed).mean()) < 0.05


def test_no_image_is_halved_more_often_than_its_queries_allow():
    line = Line(20.0, 60.0, 0.0, 1.0)
    clean_gap, end_gap = torch.full((COUNT,), 20.0), torch.full((COUNT,), -40.0)
    halvings = [0] * 50 + [1] * 50 + [100] * (COUNT - 100)
    Landing(line.probabilities, 250, 2, halvings=halvings)(line.segments(clean_gap, end_gap))
    halved = [rows for rows, samples in line.asked if samples == 62]
    assert halved[:2] == [COUNT - 50, COUNT - 100]
    assert len(halved) <= BISECTIONS
    assert line.asked[-2:] == [(COUNT, 250)] * 2
