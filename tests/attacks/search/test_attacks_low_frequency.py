"""The waves are an orthonormal basis, lowest first, and rotating some of them keeps to what they span."""

from __future__ import annotations

import pytest
import torch
from attacks_world import streams

from attacks.search.low_frequency import rotated_waves, waves


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 4), (2, 1, 5)])
def test_all_waves_are_an_orthonormal_basis(shape):
    size = shape[0] * shape[1] * shape[2]
    basis = waves(shape, 0, size).flatten(1)
    assert torch.allclose(basis @ basis.T, torch.eye(size), atol=1e-5)


def test_the_lowest_are_brightness_then_slopes_and_colour_comes_at_twice_its_frequency():
    basis = waves((3, 32, 32), 0, 8)
    assert torch.allclose(basis[0], torch.full((3, 32, 32), 3072**-0.5))
    ramps = basis[1:3]
    assert torch.allclose(ramps.sum((2, 3)), torch.zeros(2, 3), atol=1e-4)
    assert torch.allclose(ramps[:, :1].expand_as(ramps), ramps, atol=1e-6), "brightness: the same in every channel"
    flat = [wave for wave in basis if float(wave.flatten(1).std(1).max()) < 1e-6]
    assert len(flat) == 3, "among the first eight are both casts of colour"


def test_rotated_waves_span_what_they_are_rotated_from():
    turned = rotated_waves((3, 8, 8), 5, 12, streams(1)[0]).flatten(1)
    inside = turned @ waves((3, 8, 8), 5, 12).flatten(1).T
    assert torch.allclose(inside @ inside.T, torch.eye(7), atol=1e-5)
    assert float((inside.abs() - torch.eye(7)).abs().max()) > 0.1
