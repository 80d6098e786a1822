"""Which class's boundary NES aims at."""

from __future__ import annotations

import pytest
import torch

from attacks.score.nes import Gradients


def test_nes_aims_at_the_class_whose_boundary_is_nearest():
    """Class 1 has the smaller gap, class 2 the steeper slope, and class 3, hardly ever voted for, nothing but noise."""
    generator = torch.Generator().manual_seed(0)
    slopes = torch.zeros(4, 12, dtype=torch.float64)
    slopes[0, 0], slopes[1, 1], slopes[2, 2] = -0.3, 0.4, 1.6
    clean = torch.tensor([0.4, -0.2, -0.6, -3.0], dtype=torch.float64)
    gradients = Gradients(torch.special.ndtr(clean), (200, 50), (3, 2, 2))
    turned = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=torch.float64))[0]
    noise = torch.tensor([0.0, 0.0, 0.0, 1.5], dtype=torch.float64) * torch.randn(12, 4, generator=generator)
    ways = 2 * turned
    gradients.add(ways.view(12, 3, 2, 2).float(), torch.special.ndtr(clean + ways @ slopes.T + noise))
    direction, distance = gradients.nearest_tie(0)
    expected = slopes[2] - slopes[0]
    assert float(direction.flatten() @ expected / expected.norm()) > 0.95
    assert distance == pytest.approx(1.0 / float(expected.norm()), rel=0.25)
