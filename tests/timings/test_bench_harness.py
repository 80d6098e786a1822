"""What a cell costs beside its sampling: the harness may add 5%."""

from __future__ import annotations

import time

import pytest

import targets.smoothing
from benchmark.cell import cells
from benchmark.provenance import provenance
from benchmark.running.cell_run import run_cell
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.sample_cache import SampleCache
from benchmark.running.surrogates import Surrogates
from benchmark.suite import Suite
from leaderboard import Store
from leaderboard.stored.records import frame
from targets import load


@pytest.mark.benchmark(group="a cell against its sampling alone")
def test_a_cell(benchmark, cifar10, full_size, tmp_path):
    images, n = (20, 1000) if full_size else (2, 100)
    target = load("cifar10-sigma0.50-bf16", "cpu")
    suite = Suite("timing", (target.name,), ("gaussian",), (0.5,), images, samples=n, ceiling_samples=n)
    (cell,) = cells(suite, target, list(range(images)))
    inside = 0.0
    sample = targets.smoothing.count_votes

    def timed(*arguments, **options):
        nonlocal inside
        begun = time.perf_counter()
        try:
            return sample(*arguments, **options)
        finally:
            inside += time.perf_counter() - begun

    def whole() -> float:
        nonlocal inside
        inside, begun = 0.0, time.perf_counter()
        store = Store.open(tmp_path / str(begun))
        surrogates = CellSurrogates(Surrogates(store, target, n, 0.001, 0))
        result = run_cell(cell, store, surrogates, SampleCache(target), lambda: None)
        facts = provenance(target.device)
        store.write_cell(cell.key, cell.settings(), frame(result.columns), result.returned, provenance=facts, seconds=1)
        return 1 - inside / (time.perf_counter() - begun)

    if full_size:
        target.votes(cell_images(images), 3000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets.smoothing, "count_votes", timed)
        overhead = benchmark.pedantic(whole, rounds=3 if full_size else 1)
    benchmark.extra_info.update(images=images, n=n, what="gaussian", overhead=overhead)
    assert 0 < overhead < (0.05 if full_size else 1)


def cell_images(count: int):
    from targets import DATA

    return DATA["cifar10"].split("evaluation").images[:count]
