"""Surrogates that come with the package are used, checked, and told from those that were trained here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_helpers import TARGET
from torch import nn

import benchmark.running.shipped
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.shipped import ship, shipped
from benchmark.running.surrogates import SHIPPED, Surrogates
from leaderboard import Store
from targets import TargetError, load


def build() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def never(*_: object) -> None:
    pytest.fail("it is trained, though the package has it")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In place of the package's."""
    monkeypatch.setattr(benchmark.running.shipped, "FOLDER", tmp_path / "surrogates")
    monkeypatch.setattr(benchmark.running.shipped, "INDEX", tmp_path / "surrogates" / "index.json")
    benchmark.running.shipped.index.cache_clear()
    yield tmp_path / "surrogates"
    benchmark.running.shipped.index.cache_clear()


def surrogates(results: Path) -> CellSurrogates:
    return CellSurrogates(Surrogates(Store.open(results), load(TARGET, "cpu"), 100, 0.001, 0))


@pytest.fixture
def trained(folder: Path, tmp_path: Path) -> dict[str, torch.Tensor]:
    """One that was trained in a results folder and put into the package."""

    def fit(module: nn.Module, split: object, seed: int, checkpoint: Path) -> None:
        with torch.no_grad():
            module[1].weight.fill_(0.5)  # type: ignore[index]

    made = surrogates(tmp_path / "first")
    module = made.of_same_data("recipe", build, fit)
    assert made.origins != {SHIPPED}
    assert len(made.origins) == 1
    assert len(ship(made.surrogates.store)) == 1
    benchmark.running.shipped.index.cache_clear()
    return module.state_dict()


def test_it_is_used_and_not_trained(trained: dict[str, torch.Tensor], tmp_path: Path):
    used = surrogates(tmp_path / "second")
    module = used.of_same_data("recipe", build, never)
    assert all(torch.equal(value, trained[name]) for name, value in module.state_dict().items())
    assert used.origins == {SHIPPED}
    assert list((tmp_path / "second" / "shared").iterdir()) == []


def test_what_a_results_folder_holds_goes_before_it(trained: dict[str, torch.Tensor], tmp_path: Path):
    # Its cells were computed with that.
    used = surrogates(tmp_path / "first")
    used.of_same_data("recipe", build, never)
    assert used.origins != {SHIPPED}


def test_another_recipe_is_trained(trained: dict[str, torch.Tensor], tmp_path: Path):
    asked: list[str] = []
    surrogates(tmp_path / "second").of_same_data("other", build, lambda *_: asked.append("fit"))
    assert asked == ["fit"]


@pytest.mark.parametrize("damage", ["edited", "missing"])
def test_a_damaged_file_is_refused(trained: dict[str, torch.Tensor], folder: Path, tmp_path: Path, damage: str):
    [path] = folder.glob("*.safetensors")
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-4] + bytes(4))
    with pytest.raises(TargetError, match="missing or damaged; install the package again"):
        surrogates(tmp_path / "second").of_same_data("recipe", build, never)


def test_every_shipped_surrogate_is_whole_and_finite():
    index = benchmark.running.shipped.index()
    assert {path.stem for path in benchmark.running.shipped.FOLDER.glob("*.safetensors")} == set(index)
    for key in index:
        arrays = shipped(key)
        assert arrays is not None
        assert all(np.isfinite(value).all() for value in arrays.values())
