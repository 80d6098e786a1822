"""What the CPU can do, as PyTorch tells it."""

from __future__ import annotations

import itertools

import pytest
import torch

from targets.engine import processor

ASKED = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


@pytest.fixture
def x86(monkeypatch):
    monkeypatch.setattr(processor.platform, "machine", lambda: "x86_64")


def hold_back(monkeypatch, answer: bool) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: answer, raising=False)


@pytest.mark.parametrize(("avx512", "amx", "library"), list(itertools.product([False, True], repeat=3)))
def test_x86_has_bfloat16_by_either_instruction_set_where_the_library_may_use_it(
    x86, monkeypatch, avx512, amx, library
):
    for name, answer in zip(ASKED, (avx512, amx), strict=True):
        monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer, raising=False)
    hold_back(monkeypatch, library)
    assert processor.bfloat16_instructions() == ((avx512 or amx) and library)


def test_a_pytorch_that_does_not_tell_is_not_taken_for_no(x86, monkeypatch):
    for name in ASKED:
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert processor.bfloat16_instructions() is None


@pytest.mark.parametrize(("told", "answer"), [({"bf16": True}, True), ({"bf16": False}, False), ({}, None)])
def test_arm_tells_by_its_list(monkeypatch, told, answer):
    monkeypatch.setattr(processor.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert processor.bfloat16_instructions() is answer


def test_kinds_of_cpu_have_tags_of_their_own(monkeypatch):
    tags = {processor.tag(), processor.tag()}
    assert len(tags) == 1
    for capability, told in (("AVX2", {"avx2": True}), ("AVX2", {"avx2": True, "fma4": True}), ("AVX512", {})):
        monkeypatch.setattr(processor, "capability", lambda capability=capability: capability)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda told=told: told, raising=False)
        tags.add(processor.tag())
    assert len(tags) == 4
