"""Work that cells share is told as it goes on, and repeats at most one piece wherever it is stopped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmark_helpers import TARGET, define, records, run, suite_file
from torch import Tensor, nn

from attacks import Deployment, Meter, Transfer
from attacks.surrogate import SurrogateRecipe
from benchmark.key import key_of
from benchmark.running import resumable
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.clean_images import CleanImages
from benchmark.running.resumable import Arrays, computed_once
from benchmark.running.surrogates import Surrogates
from leaderboard import Store
from targets import DATA, SmoothedClassifier, load

PURPOSES = {"clean": 6, "ceiling": 6, "adversary": 400}
"""Images that are sampled for each, once."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of one image, each kept."""
    monkeypatch.setattr(resumable, "PIECE", 0.0)
    monkeypatch.setattr(resumable, "KEEP", 0.0)


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Counts images by purpose, and stops where ``stop_at[purpose]`` of them are sampled."""
    real = SmoothedClassifier.sample

    class Sampled(Counter[str]):
        stop_at: dict[str, int] = {}  # noqa: RUF012

    counted = Sampled()

    def sample(self: Any, images: Tensor, n: int, *, purpose: str, **rest: Any) -> Any:
        if counted[purpose] >= counted.stop_at.get(purpose, 10**9):
            raise KeyboardInterrupt
        counted[purpose] += len(images)
        return real(self, images, n, purpose=purpose, **rest)

    monkeypatch.setattr(SmoothedClassifier, "sample", sample)
    return counted


def fit(module: nn.Module, images: Tensor, answers: Tensor, seed: int) -> None:
    """Trains nothing."""


@pytest.mark.parametrize("purpose", PURPOSES)
def test_stopped_anywhere_a_run_goes_on_and_repeats_nothing(purpose, tmp_path, small, sampled, monkeypatch, capsys):
    def borrow(model: Transfer, images: Tensor) -> None:
        model.surrogate("mine", lambda: nn.Linear(1, 11), fit)

    define("borrower", Transfer, borrow)
    suite = suite_file(tmp_path / "s.toml", attacks=["borrower"], images=6, samples=20, ceiling_samples=20)
    stops = (1, 5) if purpose != "adversary" else (1, 249, 251)
    if purpose == "adversary":  # one at a time they take a minute
        monkeypatch.setattr(resumable, "PIECE", 1e-3)
    for stop in stops:
        sampled.stop_at = {purpose: stop}
        assert run(suite, tmp_path / "r") == 130
        assert "Run the same command again to go on." in capsys.readouterr().err
    sampled.stop_at = {}
    assert run(suite, tmp_path / "r") == 0
    assert {name: sampled[name] for name in PURPOSES} == PURPOSES
    assert not list((tmp_path / "r").rglob("*.checkpoint"))

    monkeypatch.setattr(resumable, "PIECE", 5.0)
    assert run(suite, tmp_path / "whole") == 0
    assert records(tmp_path / "r", "borrower").equals(records(tmp_path / "whole", "borrower"))
    shared = [sorted((tmp_path / name / "shared").glob("*.npz")) for name in ("r", "whole")]
    assert [path.name for path in shared[0]] == [path.name for path in shared[1]]
    for path, other in zip(*shared, strict=True):
        with np.load(path) as mine, np.load(other) as theirs:
            assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)


def test_a_surrogate_of_answers_goes_on_after_its_last_epoch(tmp_path, monkeypatch):
    recipe = SurrogateRecipe("small-cnn", epochs=4, batch=100, learning_rate=0.05, abstention=True)
    monkeypatch.setattr(SmoothedClassifier, "predict", lambda self, images, *rest, **keys: np.arange(len(images)) % 11)

    def trained(folder: str, stop_after: int) -> tuple[list[int], nn.Module | None]:
        epochs = []

        def report(what: str, unit: str, done: int, total: int) -> None:
            if what == "surrogate":
                assert (unit, total) == ("epochs", 4)
                epochs.append(done)
                if done == stop_after:
                    raise KeyboardInterrupt

        target = load(TARGET, "cpu")
        surrogates = CellSurrogates(Surrogates(Store.open(tmp_path / folder), target, 100, 0.001, 0, report))
        deployment = Deployment(10, (1, 8, 8), 0.5, 100, 0.001)
        model = Transfer(surrogates.of_answers, surrogates.of_same_data, deployment, Meter(1))
        try:
            return epochs, recipe.trained(model)
        except KeyboardInterrupt:
            return epochs, None

    whole = trained("whole", -1)
    assert whole[0] == [0, 1, 2, 3, 4]
    assert trained("stopped", 3) == ([0, 1, 2, 3], None)
    epochs, again = trained("stopped", -1)
    assert epochs == [3, 4]
    assert again is not None
    assert whole[1] is not None
    for name, value in whole[1].state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    assert not list((tmp_path / "stopped" / "shared").glob("*.checkpoint"))


def test_a_fit_is_given_what_it_has_parameters_for(tmp_path, monkeypatch):
    given = []

    def plain(module: nn.Module, images: Tensor, answers: Tensor, seed: int) -> None:
        given.append({})

    def keeping(module: nn.Module, images: Tensor, answers: Tensor, seed: int, checkpoint: Path) -> None:
        given.append({"checkpoint": checkpoint})

    surrogates = Surrogates(Store.open(tmp_path), load(TARGET, "cpu"), 20, 0.001, 0)
    monkeypatch.setattr(SmoothedClassifier, "predict", lambda self, images, *_, **__: np.zeros(len(images), int))
    surrogates.of_answers("plain", lambda: nn.Linear(1, 1), plain)
    surrogates.of_answers("keeping", lambda: nn.Linear(1, 1), keeping)
    assert given[0] == {}
    assert given[1]["checkpoint"].parent == tmp_path / "shared"


def coloured() -> tuple[SmoothedClassifier, Tensor]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    return SmoothedClassifier(net, 0.5, 10, name="coloured"), torch.rand(5, 3, 32, 32)


def digits() -> tuple[SmoothedClassifier, Tensor]:
    return load(TARGET, "cpu"), DATA["digits"].split("evaluation").images[:5]


@pytest.mark.parametrize("make", [coloured, digits])
@pytest.mark.parametrize("n", [100, 150, 350])
def test_what_a_ceiling_rests_on_is_the_same_in_any_pieces(make, n):
    target, images = make()
    votes, halves = target.evidence(images, n)
    for size in (1, 2, 3):
        parts = [
            target.evidence(images[start : start + size], n, indices=range(start, min(start + size, 5)))
            for start in range(0, 5, size)
        ]
        assert np.array_equal(np.concatenate([v for v, _ in parts]), votes)
        assert np.array_equal(np.concatenate([h.products for _, h in parts]), halves.products)
        assert np.array_equal(np.concatenate([h.lengths for _, h in parts]), halves.lengths)


SQUARES = {"what": "squares"}
KEY = key_of(SQUARES)


def squares(rows: range) -> Arrays:
    return {"squares": np.array(rows) ** 2}


def test_a_damaged_piece_is_made_again_and_one_left_behind_is_swept(tmp_path, small):
    store = Store.open(tmp_path)
    store.checkpoint(KEY).write_bytes(b"half a file")

    told: list[int] = []
    assert computed_once(store, SQUARES, 4, squares, told.append)["squares"].tolist() == [0, 1, 4, 9]
    assert told == [0, 1, 2, 3, 4]
    assert not store.checkpoint(KEY).exists()

    store.write_partial(KEY, {"squares": np.zeros(2)})  # by a process beside this one, killed since
    store.write_partial("other", {"squares": np.zeros(2)})
    Store.open(tmp_path)
    assert not store.checkpoint(KEY).exists()
    assert store.checkpoint("other").exists()
    assert computed_once(store, SQUARES, 4, lambda rows: {}, told.append)["squares"].tolist() == [0, 1, 4, 9]


def test_pieces_grow_to_the_time_that_they_are_to_take(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(resumable.time, "perf_counter", lambda: now[0])
    sizes: list[int] = []

    def compute(rows: range) -> Arrays:
        sizes.append(len(rows))
        now[0] += 0.5 * len(rows)  # half a second an image
        return squares(rows)

    computed_once(Store.open(tmp_path), SQUARES, 36, compute, lambda done: None)
    assert sizes == [1, 10, 10, 10, 5]


def test_what_was_stored_whole_is_used_first(tmp_path, sampled):
    store, target = Store.open(tmp_path), load(TARGET, "cpu")
    clean = CleanImages(store, target, DATA["digits"].split("evaluation").images[:3], (0, 1, 2), seed=0)
    first = clean.evidence(100)
    sampled.stop_at = {"ceiling": 0}
    again = clean.evidence(100)
    assert np.array_equal(first[0], again[0])
