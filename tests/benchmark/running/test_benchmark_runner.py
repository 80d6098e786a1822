"""The run: what is held is not run again, what raises is kept apart, what is shared is made once."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from benchmark_helpers import TARGET, board, by_attack, define, error_line, nothing, records, run, suite_file
from benchmark_helpers import images as returned
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

import attacks
import targets
from attacks import Attack, NoAccess, Score
from benchmark.running.runner import count_cells
from benchmark.suite_file import load_suite
from leaderboard import Store, StoreError
from leaderboard.stored.lock import Busy
from targets.models import SmallCNN


def test_cells_that_are_held_are_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    calls = define("counted", NoAccess, nothing)
    suite = suite_file(tmp_path / "s.toml", attacks=["counted"], epsilons=[0.25, 0.5], shard=3)
    assert run(suite, tmp_path / "r") == 0
    assert calls == [(0.25, 2), (0.25, 2), (0.5, 2), (0.5, 2)]
    assert "4 cells run, 0 stored already, 0 failed." in capsys.readouterr().out
    first = board(tmp_path / "r")

    assert run(suite, tmp_path / "r") == 0
    assert len(calls) == 4
    assert "0 cells run, 4 stored already, 0 failed." in capsys.readouterr().out
    assert board(tmp_path / "r") == first

    assert run(suite, tmp_path / "r", "--epsilons", 0.5, 1.0) == 0
    assert calls[4:] == [(1.0, 2), (1.0, 2)]
    assert "2 cells run, 2 stored already" in capsys.readouterr().out


def test_a_damaged_cell_is_run_again(tmp_path: Path):
    calls = define("counted", NoAccess, nothing)
    suite = suite_file(tmp_path / "s.toml", attacks=["counted"])
    assert run(suite, tmp_path / "r") == 0
    (parquet,) = (tmp_path / "r" / "cells").glob("*.parquet")
    parquet.write_bytes(parquet.read_bytes()[:100])
    assert run(suite, tmp_path / "r") == 0
    assert len(calls) == 2
    assert len(records(tmp_path / "r", "counted")) == 4


@pytest.mark.parametrize("raises", [False, True])
def test_a_cell_that_another_run_stored_meanwhile_stays(
    tmp_path: Path, raises: bool, capsys: pytest.CaptureFixture[str]
):
    def act(model: NoAccess, images: Tensor) -> None:
        if len(calls) == 1:
            assert run(suite, tmp_path / "r") == 0  # the other run, which begins later and ends first
            stored.append({path.name: path.read_bytes() for path in (tmp_path / "r" / "cells").iterdir()})
            if raises:
                raise ValueError("no luck")

    stored: list[dict[str, bytes]] = []
    calls = define("overtaken", NoAccess, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["overtaken"])
    assert run(suite, tmp_path / "r") == 0
    assert "0 cells run, 1 stored already, 0 failed." in capsys.readouterr().out
    assert stored == [{path.name: path.read_bytes() for path in (tmp_path / "r" / "cells").iterdir()}]
    assert len(stored[0]) == 3


def test_an_attack_that_raises_is_a_failed_cell_and_is_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    broken = [True]

    def act(model: object, images: Tensor) -> None:
        if broken[0]:
            raise ZeroDivisionError("it broke\nin two lines")

    calls = define("fragile", NoAccess, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["fragile", "clean", "gaussian"])
    assert run(suite, tmp_path / "r") == 1
    out, err = capsys.readouterr()
    assert "2 cells run, 0 stored already, 1 failed." in out
    assert "fragile failed: " in out
    assert "1 cells failed" in err
    cell = by_attack(tmp_path / "r")["fragile"]
    assert cell.status == "error"
    assert cell.error is not None
    assert "Traceback" in cell.error
    assert "ZeroDivisionError: it broke" in cell.error
    rows = {row["attack"]: row for row in board(tmp_path / "r")}
    assert rows["fragile"]["status"] == "failed"
    assert rows["fragile"]["abstention_rate"] is None
    assert rows["clean"]["status"] == rows["gaussian"]["status"] == "ok"

    assert run(suite, tmp_path / "r") == 1
    assert len(calls) == 2
    assert "0 cells run, 2 stored already, 1 failed." in capsys.readouterr().out

    broken[0] = False
    assert run(suite, tmp_path / "r") == 0
    assert "1 cells run, 2 stored already, 0 failed." in capsys.readouterr().out
    rows = {row["attack"]: row for row in board(tmp_path / "r")}
    assert rows["fragile"]["status"] == "ok"
    assert rows["fragile"]["abstention_rate"] == 0.0


def raised(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda model, images: images[:1], "AttackError: the attack returned torch.float32 of shape (1, 1, 8, 8)"),
        (lambda model, images: "images", "AttackError: the attack returned str"),
        (lambda model, images: model.votes(images), "AttributeError: 'NoAccess' object has no attribute 'votes'"),
        (lambda model, images: sys.exit(0), "SystemExit: 0"),
        (lambda model, images: raised(GeneratorExit("over")), "GeneratorExit: over"),
        (lambda model, images: raised(asyncio.CancelledError()), "CancelledError"),
        (lambda model, images: raised(StoreError("of its own")), "PluginError: StoreError: of its own"),
        (lambda model, images: raised(Busy("of its own")), "PluginError: Busy: of its own"),
        (lambda model, images: raised(type("Stop", (BaseException,), {})("mine")), "Stop: mine"),
        (lambda model, images: images.to("meta"), "AttackError: the attack returned a tensor on device meta"),
        (lambda model, images: images.to_sparse(), "AttackError: the attack returned a tensor of layout torch.sparse_"),
    ],
)
def test_whatever_an_attack_does_wrong_is_a_failed_cell(tmp_path: Path, act: Callable[..., Any], words: str):
    define("wrong", NoAccess, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["wrong", "clean"])
    assert run(suite, tmp_path / "r") == 1
    assert words in (by_attack(tmp_path / "r")["wrong"].error or "")
    assert by_attack(tmp_path / "r")["clean"].status == "ok"


LEFT: dict[str, Callable[[], object]] = {
    "hook": lambda: register_module_forward_pre_hook(lambda module, given: tuple(one * 0.2 for one in given)),
    "mode": lambda: Zeros().__enter__(),
    "alarm": lambda: signal.setitimer(signal.ITIMER_REAL, 0.05),
    "depth": lambda: sys.setrecursionlimit(150),
}


class Zeros(TorchFunctionMode):
    """Every ReLU gives zeros."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        return result * 0 if func in (torch.relu, torch.nn.functional.relu) else result


@pytest.mark.parametrize("deed", LEFT)
def test_what_an_attack_leaves_behind_changes_no_later_cell(tmp_path: Path, deed: str):
    define("a-leaves", NoAccess, lambda *_: (LEFT[deed](), None)[1])
    define("b-waits", NoAccess, lambda *_: time.sleep(0.06))  # an alarm that is left on would end the process
    suite = suite_file(tmp_path / "s.toml", attacks=["a-leaves", "b-waits", "gaussian"])
    assert run(suite, tmp_path / "r") == 0
    suite = suite_file(tmp_path / "s.toml", attacks=["gaussian"])
    assert run(suite, tmp_path / "alone") == 0
    assert records(tmp_path / "r", "gaussian").equals(records(tmp_path / "alone", "gaussian"))


def test_what_breaks_the_budget_rule_is_recorded_and_the_original_evaluated(tmp_path: Path):
    def act(model: object, images: Tensor) -> Tensor:
        found = images.clone()
        found[0, 0, 0, 0] = torch.nan
        found[1, 0, 0, 0] = 1.5
        found[2] = 1 - found[2]
        return found

    define("cheat", NoAccess, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["cheat", "clean"])
    assert run(suite, tmp_path / "r") == 0
    cheat, clean = records(tmp_path / "r", "cheat"), records(tmp_path / "r", "clean")
    assert cheat["validity"].tolist() == ["not-finite", "out-of-range", "over-budget", "valid"]
    assert not cheat["changed"].any()
    evaluated = ["outcome", "first", "first_votes", "second", "second_votes", "p"]
    assert cheat[evaluated].equals(clean[evaluated])
    # What was returned is kept as it was, so that the verdict can be checked.
    assert np.isnan(returned(tmp_path / "r", "cheat")[0][0, 0, 0])
    row = next(row for row in board(tmp_path / "r") if row["attack"] == "cheat")
    assert row["valid_rate"] == 0.25
    assert row["l2_mean"] is None


def test_an_attack_cannot_change_what_it_is_measured_against(tmp_path: Path):
    @attacks.register("vandal")
    class Vandal(Attack):
        """Writes on what it is given."""

        access = NoAccess

        def __call__(self, model, images, labels, epsilon, generator):
            images += 0.5
            labels += 1
            return images.clamp(0, 1)

    suite = suite_file(tmp_path / "s.toml", attacks=["vandal", "clean"])
    assert run(suite, tmp_path / "r") == 0
    vandal, clean = records(tmp_path / "r", "vandal"), records(tmp_path / "r", "clean")
    assert vandal["label"].equals(clean["label"])
    assert (vandal["l2"] > 0.5).all()
    assert set(vandal["validity"]) == {"over-budget"}


def test_clean_votes_are_computed_once_per_target_and_image(tmp_path: Path, counted_votes: list[tuple[str, str, int]]):
    pair = ["digits-sigma0.25", TARGET]
    suite = suite_file(tmp_path / "s.toml", targets=pair, epsilons=[0.25, 0.5], shard=3)
    assert run(suite, tmp_path / "r") == 0
    images = Counter[tuple[str, str]]()
    for target, purpose, count in counted_votes:
        images[target, purpose] += count
    # Clean votes are made once; of two attacks at two epsilons, the one that moves nothing is evaluated once.
    assert images == {
        (target, purpose): count
        for target in pair
        for purpose, count in {"clean": 4, "ceiling": 4, "evaluation": 12}.items()
    }

    counted_votes.clear()
    assert run(suite, tmp_path / "r", "--epsilons", 1.0) == 0  # another run reads them from the store
    assert {purpose for _, purpose, _ in counted_votes} == {"evaluation"}


def test_evaluation_noise_is_not_what_the_clean_run_or_the_attack_saw(
    tmp_path: Path, counted_votes: list[tuple[str, str, int]]
):
    seen: list[Tensor] = []

    def act(model: Score, images: Tensor) -> None:
        seen.extend(model.votes(images) for _ in range(2))

    define("watcher", Score, act)
    suite = suite_file(tmp_path / "s.toml", targets=["digits-sigma1.00"], attacks=["watcher"], images=6, samples=200)
    assert run(suite, tmp_path / "r") == 0
    purposes = [purpose for _, purpose, _ in counted_votes]
    assert purposes == ["clean", "ceiling", "query watcher 0.5", "query watcher 0.5", "evaluation"]
    found = records(tmp_path / "r", "watcher")
    counts = [found["clean_first_votes"], found["first_votes"], *(s.max(1).values for s in seen)]
    # The same six unchanged images under four sets of noise: no two sets alike.
    assert len({tuple(int(v) for v in column) for column in counts}) == 4


class NaN(nn.Module):
    """Gives NaN for every digit, which are darker than the random images that a target is first tried on."""

    def forward(self, images: Tensor) -> Tensor:
        dark = images.flatten(1).mean(1) < 0.4
        empty = images.flatten(1).abs().amax(1) == 0
        return torch.where((dark & ~empty)[:, None], torch.nan, torch.zeros(len(images), 10))


def test_a_target_that_gives_nan_fails_and_the_others_go_on(tmp_path: Path):
    targets.register("digits-nan", sigma=0.12, data="digits")(NaN)
    suite = suite_file(tmp_path / "s.toml", targets=[TARGET, "digits-nan"])
    assert run(suite, tmp_path / "r") == 1
    status = {(row["target"], row["attack"]): row["status"] for row in board(tmp_path / "r")}
    assert status == {
        (TARGET, "clean"): "ok",
        (TARGET, "gaussian"): "ok",
        ("digits-nan", "clean"): "failed",
        ("digits-nan", "gaussian"): "failed",
    }
    errors = [cell.error for cell in Store.read(tmp_path / "r").cells() if cell.status == "error"]
    assert all("TargetError: the base classifier returned NaN or infinite logits" in (e or "") for e in errors)


def test_nan_at_the_attacked_image_alone_is_a_failed_cell(tmp_path: Path):
    class Picky(nn.Module):
        """NaN where an image is very bright."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = SmallCNN()

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.inner(images)
            bright = images.flatten(1).mean(1) > 0.9
            return torch.where(bright[:, None], torch.nan, logits)

    torch.manual_seed(0)
    targets.register("digits-picky", sigma=0.12, data="digits")(Picky)
    define("bright", NoAccess, lambda model, images: torch.ones_like(images))
    suite = suite_file(tmp_path / "s.toml", targets=["digits-picky"], attacks=["bright", "clean"], epsilons=[100.0])
    assert run(suite, tmp_path / "r") == 1
    found = by_attack(tmp_path / "r")
    assert found["clean"].status == "ok"
    assert "TargetError" in (found["bright"].error or "")


def test_a_target_that_cannot_be_loaded_is_found_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    targets.register("digits-none", sigma=0.5, data="digits")(lambda: None)
    suite = suite_file(tmp_path / "s.toml", targets=[TARGET, "digits-none"])
    assert run(suite, tmp_path / "r") == 2
    assert error_line(capsys.readouterr().err) == (
        "error: target 'digits-none' must return a torch.nn.Module, not NoneType"
    )
    assert by_attack(tmp_path / "r") == {}


def test_settings_provenance_and_seconds_are_stored_with_the_cell(tmp_path: Path):
    suite = suite_file(tmp_path / "s.toml", attacks=["clean"], seed=5)
    begun = time.perf_counter()
    assert run(suite, tmp_path / "r") == 0
    elapsed = time.perf_counter() - begun
    cell = by_attack(tmp_path / "r")["clean"]
    assert (cell.settings["seed"], cell.settings["n"], cell.settings["images"]) == (5, 100, [0, 99, 198, 297])
    assert {"commit", "torch", "numpy", "device", "python", "threads"} <= cell.provenance.keys()
    assert 0 < cell.seconds < elapsed
    assert cell.status == "ok"


def test_count_cells_counts_what_a_run_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    suite = suite_file(tmp_path / "s.toml", targets=[TARGET, "digits-sigma0.25"], epsilons=[0.25, 0.5, 1], shard=3)
    assert count_cells(load_suite(str(suite))) == 2 * 2 * 3 * 2
    assert run(suite, tmp_path / "r") == 0
    assert "24 cells run" in capsys.readouterr().out


def test_epsilons_given_twice_in_a_file_are_run_once(tmp_path: Path):
    calls = define("counted", NoAccess, nothing)
    suite = suite_file(tmp_path / "s.toml", attacks=["counted"], epsilons=[0.5, 0.5])
    assert run(suite, tmp_path / "r") == 0
    assert len(calls) == len(board(tmp_path / "r")) == 1
