"""Compiled base classifiers: the plain one's bits, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from targets_networks import in_bfloat16, whole, whole_images
from torch import nn

from targets.cache import compiled_folder
from targets.engine import compiled
from targets.engine.compiled import CACHE_VARIABLE, VARIABLE, compiled_alike, compiler_present
from targets.engine.rewritten import Folded, Rounded

CPU = torch.device("cpu")
needs_compiler = pytest.mark.skipif(not compiler_present(CPU), reason="no C++ compiler here")

PATHS = {
    "bfloat16": lambda: in_bfloat16(whole()),
    "folded": lambda: Folded(whole()),
    "rounded": lambda: Rounded(in_bfloat16(whole())),
}


@needs_compiler
@pytest.mark.parametrize("path", PATHS)
def test_where_sums_are_exact_it_is_the_plain_one_bit_for_bit_and_kept_for_the_next_start(path):
    from torch._dynamo.utils import counters

    base, images = PATHS[path](), whole_images(60)
    with torch.inference_mode():
        fast = compiled_alike(base, images[:30])
        assert fast is not None
        assert torch.equal(fast(images[30:]), base(images[30:]))
        hits = counters["inductor"]["fxgraph_cache_hit"]
        torch._dynamo.reset()  # all that a new process would not have either
        assert compiled_alike(base, images[:30]) is not None
    assert counters["inductor"]["fxgraph_cache_hit"] == hits + 1


def test_each_kind_of_cpu_has_a_folder_of_its_own(monkeypatch):
    seen = []

    def compile_(module: nn.Module, dynamic: bool, options: dict[str, object]) -> nn.Module:
        seen.append((Path(compiled.os.environ[CACHE_VARIABLE]), options["cpp.simdlen"]))
        return module

    monkeypatch.setattr(torch, "compile", compile_)
    monkeypatch.setattr(compiled, "compiled_folder", lambda: Path("kept"))
    for folder in ("", "named"):
        for kind in ("AVX2", "AVX512"):
            monkeypatch.setenv(CACHE_VARIABLE, folder)
            monkeypatch.setattr(compiled, "tag", lambda kind=kind: kind)
            monkeypatch.setattr(compiled, "capability", lambda kind=kind: kind)
            assert compiled_alike(nn.Identity(), torch.zeros(1)) is not None
    kept = [(Path("kept/AVX2"), 256), (Path("kept/AVX512"), 512)]
    assert seen == [*kept, (Path("named"), 256), (Path("named"), 512)]  # in a folder of the user's, by the width
    assert compiled_folder().name == "compiled"


def test_the_compiler_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    assert not compiler_present(CPU)
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    assert not compiler_present(CPU)


def test_logits_that_a_module_writes_to_one_place_are_compared_with_what_they_were(monkeypatch):
    place = torch.zeros(20, 10)

    class Static(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            place[:] = images.flatten(1)[:, :10]
            return place

    def wrong(images: torch.Tensor) -> torch.Tensor:
        place[:] = 2 * images.flatten(1)[:, :10]
        return place

    monkeypatch.setattr(torch, "compile", lambda *_, **__: wrong)
    with pytest.warns(UserWarning, match="rounds otherwise than the plain one"):
        assert compiled_alike(Static(), torch.rand(20, 1, 8, 8)) is None
