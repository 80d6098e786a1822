"""What the timings share. ``--benchmark-only`` measures at full size; in the ordinary run each is run once, small."""

from __future__ import annotations

import pytest
import torch

from targets import DATA, SmoothedClassifier, load


@pytest.fixture(scope="session")
def full_size(request) -> bool:
    return bool(request.config.getoption("benchmark_only"))


@pytest.fixture
def plain(cifar10) -> SmoothedClassifier:
    """In float32; its base classifier, as it is, is what the public implementations run."""
    return load("cifar10-sigma0.50", "cpu")


@pytest.fixture
def deployed(cifar10) -> SmoothedClassifier:
    return load("cifar10-sigma0.50-bf16", "cpu")


@pytest.fixture
def clean_images(cifar10) -> torch.Tensor:
    """Twenty test images, every 500th."""
    return DATA["cifar10"].split("evaluation").images[::500]
