"""Same seed, same records apart from timings, whatever the shards, their order or the process: every attack."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import benchmark_helpers
import numpy as np
import pandas as pd
import pytest
import torch
from benchmark_helpers import STEADY, TARGET, cheap_settings, program, run, suite_file
from pandas.testing import assert_frame_equal

from attacks import ATTACKS
from attacks.surrogate import AlikeInAnyBatch
from benchmark.cell import Cell
from benchmark.plugins.loading import load_file
from benchmark.running.cell_run import run_cell
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.sample_cache import SampleCache
from benchmark.running.surrogates import Surrogates
from benchmark.suite_file import load_suite
from leaderboard import Store
from leaderboard.stored.records import frame
from targets import load
from targets.models import WideResNet10

NAMES = list(ATTACKS)
EPSILON = 1.0


def make_suite(folder: Path, name: str, **values: object) -> Path:
    # Under one name, because the suite's name is in the key.
    path = folder / f"{name}.toml"
    return suite_file(path, cheap_settings(), name="same", attacks=NAMES, epsilons=[EPSILON], **values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the same cheap suite, cut in different ways."""
    folder = tmp_path_factory.mktemp("determinism")
    for name, values in {
        "whole": {"shard": 64},
        "threes": {"shard": 3},
        "fewer": {"images": 2},
    }.items():
        assert run(make_suite(folder, name, **values), folder / f"{name}-results", "--plugin", STEADY) == 0
    return folder


@pytest.fixture(scope="module")
def elsewhere(folder: Path) -> Path:
    """The whole run again by the real program, in a process of its own."""
    suite, results = make_suite(folder, "again"), folder / "again-results"
    done = program("run", "--suite", suite, "--results", results, "--plugin", STEADY, "--workers", 0)
    assert done.returncode == 0, done.stderr
    return results


# Each is read once, and asked for by every attack.
records = lru_cache(maxsize=None)(benchmark_helpers.records)
returned = lru_cache(maxsize=None)(benchmark_helpers.images)


def assert_same(name: str, first: Path, second: Path, wanted: list[int] | None = None) -> None:
    expected = records(first, name)
    if wanted is not None:
        expected = expected[expected["image"].isin(wanted)].reset_index(drop=True)
    found = records(second, name)
    assert len(found) == (len(expected) if wanted is None else len(wanted)) > 0
    assert_frame_equal(found, expected, check_exact=True)
    one, two = returned(first, name), returned(second, name)
    for image, pixels in two.items():
        assert np.array_equal(pixels, one[image]), f"image {image} differs by {np.abs(pixels - one[image]).max()}"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "clean"])
def test_the_cheap_settings_move_images(folder: Path, name: str):
    # Otherwise what follows would compare originals with themselves. Shipped weights and steady surrogates see to it.
    found = returned(folder / "whole-results", name)
    clean = returned(folder / "whole-results", "clean")
    assert any(not np.array_equal(found[image], clean[image]) for image in found)


@pytest.mark.parametrize("name", NAMES)
def test_shards_of_three_and_of_one_image_give_the_same_records(folder: Path, name: str):
    assert_same(name, folder / "whole-results", folder / "threes-results")


@pytest.mark.parametrize("name", NAMES)
def test_an_image_has_the_same_record_in_a_smaller_selection(folder: Path, name: str):
    assert_same(name, folder / "whole-results", folder / "fewer-results", wanted=[0, 198])


@pytest.mark.parametrize("name", NAMES)
def test_another_process_gives_the_same_records(folder: Path, elsewhere: Path, name: str):
    assert_same(name, folder / "whole-results", elsewhere)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_images_does_not_matter(folder: Path, name: str, tmp_path: Path):
    suite = load_suite(str(folder / "whole.toml"))
    target = load(TARGET, "cpu")
    load_file(STEADY)
    # The store of the whole run holds the surrogates; clean votes are keyed by their images, so they are new.
    store = Store.open(folder / "whole-results")
    surrogates = CellSurrogates(Surrogates(store, target, suite.samples, suite.alpha, suite.seed))
    cell = Cell(suite, target, name, suite.attack(name), EPSILON, (297, 0, 198, 99))
    result = run_cell(cell, store, surrogates, SampleCache(target), lambda: None)
    found = frame(result.columns).drop(columns="seconds")
    assert found["image"].tolist() == [297, 0, 198, 99]
    expected = records(folder / "whole-results", name)
    assert_frame_equal(found.sort_values("image", ignore_index=True), expected, check_exact=True)
    whole = returned(folder / "whole-results", name)
    for image, mine in zip(cell.images, result.returned, strict=True):
        assert np.array_equal(mine, whole[image])


def test_another_seed_gives_other_records(folder: Path):
    suite = suite_file(folder / "seeded.toml", name="same", attacks=["clean", "gaussian"], epsilons=[EPSILON], seed=1)
    assert run(suite, folder / "seeded-results") == 0
    first, second = folder / "whole-results", folder / "seeded-results"
    assert not records(first, "gaussian")["linf"].equals(records(second, "gaussian")["linf"])
    votes = ["clean_first_votes", "first_votes"]
    assert not records(first, "clean")[votes].equals(records(second, "clean")[votes])


def test_every_attack_has_a_record_for_every_image(folder: Path):
    for name in NAMES:
        found = records(folder / "whole-results", name)
        assert found["image"].tolist() == [0, 99, 198, 297]
        assert isinstance(found, pd.DataFrame)
        assert set(found["validity"]) <= {"valid", "over-budget"}


@pytest.mark.parametrize("rows", [0, 1, 3, 15, 16, 20])
def test_a_surrogate_answers_a_row_alike_in_any_batch(tmp_path: Path, rows: int):
    surrogates = Surrogates(Store.open(tmp_path / "results"), load(TARGET, "cpu"), 100, 0.001, 0)
    trained = surrogates.of_answers("untrained", lambda: WideResNet10((1, 8, 8), 11), lambda *_: None).module
    assert not trained.training
    module = AlikeInAnyBatch(trained)
    batch = torch.rand((32, 1, 8, 8), generator=torch.Generator().manual_seed(0))

    def answer(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = images.clone().requires_grad_()
        logits = module(images)
        (gradient,) = torch.autograd.grad(logits.log_softmax(1)[:, -1].sum(), images)
        return logits.detach(), gradient

    logits, gradient = answer(batch)
    some_logits, some_gradient = answer(batch[:rows])
    assert some_logits.shape == (rows, 11)
    assert torch.equal(some_logits, logits[:rows])
    assert torch.equal(some_gradient, gradient[:rows])
