"""Whatever a test registers or installs is gone after it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from benchmark_helpers import as_before
from torch import Tensor

from targets import SmoothedClassifier


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads gain nothing on 8×8 digits, and lose a factor of ten where somebody else uses the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Registries, plugins' modules and signal handlers as they were."""
    handler = signal.getsignal(signal.SIGTERM)
    with as_before():
        yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def counted_votes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """Every time a target samples, for votes or for an answer: (target, purpose, images).

    What cells share is sampled in as many pieces as its time asks for, which here are one.
    """
    calls: list[tuple[str, str, int]] = []
    real = SmoothedClassifier.sample

    def sample(self: SmoothedClassifier, images: Tensor, n: int, *, purpose: str, **rest: Any) -> Any:
        if purpose in ("clean", "ceiling", "adversary") and calls and calls[-1][:2] == (self.name, purpose):
            calls[-1] = (self.name, purpose, calls[-1][2] + len(images))
        else:
            calls.append((self.name, purpose, len(images)))
        return real(self, images, n, purpose=purpose, **rest)

    monkeypatch.setattr(SmoothedClassifier, "sample", sample)
    return calls
