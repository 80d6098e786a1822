from __future__ import annotations

import ctypes
import resource
import sys

import pytest
import torch

from targets.engine import allocator
from targets.engine.allocator import keep_freed_memory


@pytest.fixture(autouse=True)
def forgotten():
    keep_freed_memory.cache_clear()
    yield
    keep_freed_memory.cache_clear()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_layers_reuse_memory_instead_of_asking_the_system_again():
    assert keep_freed_memory()

    def layers():
        for _ in range(5):
            held = [torch.ones(2_500_000) for _ in range(20)]  # 200 MB, of 48,828 pages
            del held

    layers()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    layers()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 10_000


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()


def test_a_c_library_without_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    assert not keep_freed_memory()
