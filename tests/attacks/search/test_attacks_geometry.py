"""The ball, the box, and lengths."""

from __future__ import annotations

import pytest
import torch

from attacks.search.geometry import norms, per_image, project, unit
from benchmark.running.evaluation import enforce


@pytest.mark.parametrize("epsilon", [0.01, 0.25, 1.0, 10.0])
def test_what_is_projected_is_within_the_budget_rule(epsilon):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(50, 3, 8, 8, generator=generator)
    far = images + 5 * torch.randn(images.shape, generator=generator)
    projected = project(far, images, epsilon)
    assert set(enforce(images, projected, epsilon).validity) == {"valid"}


def test_inside_the_ball_and_the_box_nothing_moves():
    images = torch.full((3, 1, 2, 2), 0.5)
    near = images + 0.1 * torch.eye(4)[:3].view(3, 1, 2, 2)
    assert torch.equal(project(near, images, 0.2), near)


def test_directions_get_length_one_and_zero_stays():
    delta = torch.zeros(2, 1, 2, 2)
    delta[0, 0, 0] = torch.tensor([3.0, 4.0])
    assert norms(delta).tolist() == [5.0, 0.0]
    assert norms(unit(delta)).tolist() == pytest.approx([1.0, 0.0])
    assert torch.equal(unit(delta)[1], delta[1])
    assert per_image(norms(delta)).shape == (2, 1, 1, 1)
