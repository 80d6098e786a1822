"""Landing on the tie by labels, on segments whose tie is known."""

from __future__ import annotations

import numpy as np
import torch
from attacks_world import ALPHA, SIGMA, Linear, N, abstention
from scipy.special import ndtr
from torch import Tensor

from attacks.search.bisection import land_by_labels
from targets import ABSTAIN
from targets.binomial import decide


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
        mean.append(float(abstention(oracle.base, landed).mean()))
    assert mean[0] < 0.8 < 0.85 < mean[1]
