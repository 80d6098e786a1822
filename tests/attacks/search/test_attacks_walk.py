"""The nearest point that counted as across, and the images that a walk moves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from attacks_world import Linear, streams, white_box
from torch import Tensor

from attacks.search.problem import Problem
from attacks.search.walk import GapAt, Nearest, Walk


def points(*lengths: float) -> Tensor:
    """Images of one pixel, (N, 1, 1, 1)."""
    return torch.tensor(lengths, dtype=torch.float32)[:, None, None, None]


def test_the_nearest_of_what_was_seen_across_is_kept():
    nearest = Nearest(points(0, 0, 0), overshoot=0.3)
    for lengths, gaps in (((0.5, 0.1, 0.2), (-0.4, 0.2, -0.2)), ((0.4, 0.2, 0.1), (-0.4, -0.4, -0.25))):
        norm, across = nearest.see(points(*lengths), torch.tensor(gaps))
        assert norm.tolist() == torch.tensor(lengths).tolist()
        assert across.tolist() == [gap < -0.3 for gap in gaps]
    nearest.see(points(0.6, 0.05, 0.0), torch.tensor([-1.0, 1.0, 1.0]))  # further off, and not across
    assert torch.equal(nearest.norm, torch.tensor([0.4, 0.2, torch.inf]))
    assert torch.equal(nearest.or_else(points(7, 8, 9)), points(0.4, 0.2, 9))


@dataclass(frozen=True)
class Darker(Walk):
    """Half of each image."""

    def walk(self, originals: Tensor, epsilon: float, gap_at: GapAt) -> Tensor:
        gap, gradient = gap_at(originals)
        assert len(gap) == len(gradient) == len(originals)
        return originals / 2


def test_images_that_are_not_asked_for_stay_and_cost_nothing():
    base = Linear()
    images = base.images([0.2, 0.3, 0.4])
    model, meter = white_box(base, 3)
    problem = Problem(model, images, torch.zeros(3, dtype=torch.int64), 1.0, streams(3))
    moved = Darker(steps=1, samples=8)(problem, [2, 0])
    assert torch.equal(moved, images * torch.tensor([0.5, 1.0, 0.5])[:, None, None, None])
    assert meter.forward.tolist() == [8, 0, 8]
    assert torch.equal(Darker(steps=1, samples=8)(problem, []), images)
