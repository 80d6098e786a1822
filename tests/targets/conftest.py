"""One thread, and the shallow network that checkpoints are of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import targets_cohen as cohen
import torch
from targets_checkpoint import SHAPE

from targets import TARGETS
from targets.models import ARCHITECTURES
from targets.resnet import ResNet


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """On a busy machine the hand-over between threads costs far more than these small tensors do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def shallow() -> Iterator[None]:
    """A shallow network to be quick with, resnet-8; and what a test registers is gone after it."""
    before = TARGETS.snapshot()
    ARCHITECTURES.add("resnet-8", lambda shape, num_classes: ResNet(8, shape, num_classes))
    yield
    ARCHITECTURES.remove("resnet-8")
    TARGETS.restore(before)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """The weights of that network, by its own names."""
    return cohen.state_dict(8)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Three images of CIFAR-10's shape."""
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(5))
