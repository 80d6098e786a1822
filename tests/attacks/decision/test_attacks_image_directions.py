"""The directions of own images: their span, their weights, and which images lie near."""

from __future__ import annotations

import numpy as np
import torch
from attacks_world import SIGMA, Linear
from torch import Tensor

from attacks.decision.image_directions import ImageDirections

BASE = Linear()


def own_images() -> Tensor:
    return BASE.images(torch.linspace(-0.8, 0.8, 200).tolist())


def test_own_images_span_their_differences_and_weigh_what_noise_leaves():
    own = ImageDirections.of(own_images(), SIGMA, count=40, dimensions=64, decay=1.0)
    assert own.images.shape == (40, 64)
    assert np.allclose(own.directions.T @ own.directions, np.eye(own.directions.shape[1]), atol=1e-9)
    centred = own.images - own.images.mean(0)
    assert np.allclose(centred @ own.directions @ own.directions.T, centred, atol=1e-9)
    variances = (centred @ own.directions).var(0)
    expected = variances / (variances + SIGMA**2)
    assert np.allclose(own.weights, expected / expected.sum())
    assert abs(own.directions[:, 0] @ BASE.w.double().numpy()) > 0.95
    every = ImageDirections.of(own_images(), SIGMA, count=1000, dimensions=10, decay=1.0)
    assert every.images.shape == (200, 64)
    assert every.directions.shape == (64, 10)
    assert abs(every.directions[:, 0] @ BASE.w.double().numpy()) > 0.95
    near, far = own.towards(own.images[7], 5)[0], own.towards(own.images[7], 5)[-1]
    assert np.linalg.norm(near) == 0 < np.linalg.norm(far)
