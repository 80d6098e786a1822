"""The run: what is held is not run again, what raises is kept apart, what is shared is made once."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmark_helpers import TARGET, board, define, error_line, records, run, suite_file
from benchmark_helpers import images as returned
from torch import Tensor, nn

import attacks
import targets
from attacks import Access, Attack, BudgetExhausted, Decision, NoAccess, Score, Transfer, WhiteBox
from benchmark.runner import count_cells
from benchmark.suite import load_suite
from leaderboard import Store, StoredCell
from targets.models import SmallCNN


def nothing(model: object, images: Tensor) -> None:
    """What an attack does that sends the originals."""


def by_attack(results: Path) -> dict[str, StoredCell]:
    return {cell.settings["attack"]: cell for cell in Store.read(results).cells()}


def test_cells_that_are_held_are_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    calls = define("counted", NoAccess, nothing)
    suite = suite_file(tmp_path / "s.toml", attacks=["counted"], epsilons=[0.25, 0.5], shard=3)
    assert run(suite, tmp_path / "r") == 0
    assert calls == [(0.25, 3), (0.25, 1), (0.5, 3), (0.5, 1)]
    assert "4 cells run, 0 held already, 0 failed." in capsys.readouterr().out
    first = board(tmp_path / "r")

    assert run(suite, tmp_path / "r") == 0
    assert len(calls) == 4
    assert "0 cells run, 4 held already, 0 failed." in capsys.readouterr().out
    assert board(tmp_path / "r") == first

    assert run(suite, tmp_path / "r", "--epsilons", 0.5, 1.0) == 0
    assert calls[4:] == [(1.0, 3), (1.0, 1)]
    assert "2 cells run, 2 held already" in capsys.readouterr().out


def test_a_damaged_cell_is_run_again(tmp_path: Path):
    calls = define("counted", NoAccess, nothing)
    suite = suite_file(tmp_path / "s.toml", attacks=["counted"])
    assert run(suite, tmp_path / "r") == 0
    (parquet,) = (tmp_path / "r" / "cells").glob("*.parquet")
    parquet.write_bytes(parquet.read_bytes()[:100])
    assert run(suite, tmp_path / "r") == 0
    assert len(calls) == 2
    assert len(records(tmp_path / "r", "counted")) == 4


def test_an_attack_that_raises_is_a_failed_cell_and_is_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    broken = [True]

    def act(model: object, images: Tensor) -> None:
        if broken[0]:
            raise ZeroDivisionError("it broke\nin two lines")

    calls = define("fragile", NoAccess, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["fragile", "clean", "gaussian"])
    assert run(suite, tmp_path / "r") == 1
    out, err = capsys.readouterr()
    assert "2 cells run, 0 held already, 1 failed." in out
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
    assert "0 cells run, 2 held already, 1 failed." in capsys.readouterr().out

    broken[0] = False
    assert run(suite, tmp_path / "r") == 0
    assert "1 cells run, 2 held already, 0 failed." in capsys.readouterr().out
    rows = {row["attack"]: row for row in board(tmp_path / "r")}
    assert rows["fragile"]["status"] == "ok"
    assert rows["fragile"]["abstention_rate"] == 0.0


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda model, images: images[:1], "AttackError: the attack returned torch.float32 of shape (1, 1, 8, 8)"),
        (lambda model, images: "images", "AttackError: the attack returned str"),
        (lambda model, images: model.votes(images), "AttributeError: 'NoAccess' object has no attribute 'votes'"),
        (lambda model, images: sys.exit(0), "SystemExit: 0"),
    ],
)
def test_whatever_an_attack_does_wrong_is_a_failed_cell(tmp_path: Path, act: Callable[..., Any], words: str):
    define("wrong", NoAccess, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["wrong", "clean"])
    assert run(suite, tmp_path / "r") == 1
    assert words in (by_attack(tmp_path / "r")["wrong"].error or "")
    assert by_attack(tmp_path / "r")["clean"].status == "ok"


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
    """Gives NaN for everything."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.full((len(images), 10), torch.nan)


def test_a_target_that_gives_nan_fails_and_the_others_go_on(tmp_path: Path):
    targets.register("digits-nan", sigma=0.5, data="digits")(NaN)
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


def ask_score(model: Score, images: Tensor) -> None:
    assert model.votes(images).sum(1).tolist() == [100] * len(images)
    assert model.votes(images, samples=30).sum(1).tolist() == [30] * len(images)
    model.votes(images[:1], rows=[0])
    model.votes(images[[0, 0]], rows=[0, 0], samples=7)


def ask_decision(model: Decision, images: Tensor) -> None:
    assert model.predict(images).shape == (len(images),)
    model.predict(images[-1:], rows=[len(images) - 1])


def ask_white_box(model: WhiteBox, images: Tensor) -> None:
    def noise(samples: int) -> Tensor:
        return torch.zeros(len(images), samples, *images.shape[1:])

    model.logits(images, noise(5))
    inputs = images.clone().requires_grad_()
    first = model.logits(inputs, noise(10))
    second = model.logits(inputs, noise(3))
    second.sum().backward()
    (first[:, :2].sum() + first.square().sum()).backward()
    model.logits(images[:1], noise(4)[:1], rows=[0])


@pytest.mark.parametrize(
    ("granted", "act", "queries", "forward", "backward"),
    [
        (NoAccess, nothing, [0, 0, 0], [0, 0, 0], [0, 0, 0]),
        (Score, ask_score, [5, 2, 2], [100 + 30 + 100 + 14, 130, 130], [0, 0, 0]),
        (Decision, ask_decision, [1, 1, 2], [100, 100, 200], [0, 0, 0]),
        (WhiteBox, ask_white_box, [0, 0, 0], [5 + 10 + 3 + 4, 18, 18], [13, 13, 13]),
    ],
)
def test_costs_are_counted_exactly_and_by_image(
    tmp_path: Path,
    granted: type[Access],
    act: Callable[..., None],
    queries: list[int],
    forward: list[int],
    backward: list[int],
):
    define("asker", granted, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["asker"], images=3)
    assert run(suite, tmp_path / "r") == 0
    found = records(tmp_path / "r", "asker")
    assert found["queries"].tolist() == queries
    assert found["forward_samples"].tolist() == forward
    assert found["backward_samples"].tolist() == backward
    (row,) = board(tmp_path / "r")
    assert row["queries_mean"] == pytest.approx(np.mean(queries))
    assert row["forward_samples_mean"] == pytest.approx(np.mean(forward))
    assert row["backward_samples_mean"] == pytest.approx(np.mean(backward))


def greedy(granted: type[Access], stops: bool) -> Callable[[Any, Tensor], None]:
    def act(model: Any, images: Tensor) -> None:
        ask = model.votes if granted is Score else model.predict
        try:
            while True:
                ask(images[:1], rows=[0])
        except BudgetExhausted:
            if not stops:
                raise

    return act


@pytest.mark.parametrize("granted", [Score, Decision])
def test_the_query_budget_of_a_suite_is_enforced(
    tmp_path: Path, granted: type[Access], counted_votes: list[tuple[str, str, int]]
):
    define("polite", granted, greedy(granted, stops=True))
    define("greedy", granted, greedy(granted, stops=False))
    suite = suite_file(tmp_path / "s.toml", attacks=["polite", "greedy"], query_budgets=[3], images=2)
    assert run(suite, tmp_path / "r") == 1
    assert records(tmp_path / "r", "polite")["queries"].tolist() == [3, 0]
    assert sum(purpose == "query polite 0.5" for _, purpose, _ in counted_votes) == 3
    error = by_attack(tmp_path / "r")["greedy"].error
    assert "BudgetExhausted: the budget of 3 queries an image is spent" in (error or "")


def test_a_surrogate_is_trained_once_and_kept(tmp_path: Path, counted_votes: list[tuple[str, str, int]]):
    fits: list[tuple[int, list[int]]] = []
    used: list[Tensor] = []

    def fit(module: nn.Module, images: Tensor, answers: Tensor, seed: int) -> None:
        fits.append((len(images), sorted(set(answers.tolist()))))
        with torch.no_grad():
            next(module.parameters()).add_(1.0)

    def act(model: Transfer, images: Tensor) -> None:
        module = model.surrogate("mine", lambda: SmallCNN(num_classes=11), fit)
        assert not module.training
        assert not any(parameter.requires_grad for parameter in module.parameters())
        used.append(module(images).clone())

    define("borrower", Transfer, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["borrower"], epsilons=[0.25, 0.5], samples=20)
    assert run(suite, tmp_path / "r") == 0
    assert len(used) == 2
    assert len(fits) == 1
    assert fits[0][0] == 400
    assert set(fits[0][1]) == set(range(-1, 10))
    assert [row["surrogate_queries"] for row in board(tmp_path / "r")] == [400, 400]
    # The answers cost queries before the attack; the attack itself costs none.
    assert records(tmp_path / "r", "borrower")["queries"].tolist() == [0] * 8

    counted_votes.clear()
    assert run(suite, tmp_path / "r", "--epsilons", 1.0) == 0
    assert len(fits) == 1
    assert [row["surrogate_queries"] for row in board(tmp_path / "r")] == [400, 400, 400]
    assert {purpose for _, purpose, _ in counted_votes} == {"evaluation"}
    assert torch.equal(used[2], used[0])
    assert torch.equal(used[1], used[0])


def test_surrogates_of_other_targets_recipes_n_and_seeds_are_others(tmp_path: Path):
    fits: list[int] = []
    recipe = ["one"]

    def fit(module: nn.Module, images: Tensor, answers: Tensor, seed: int) -> None:
        fits.append(seed)

    def act(model: Transfer, images: Tensor) -> None:
        model.surrogate(recipe[0], SmallCNN, fit)

    define("borrower", Transfer, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["borrower"], images=1, samples=20)
    variants: list[list[object]] = [
        [], ["--targets", "digits-sigma0.25"], ["--samples", 21], ["--alpha", 0.002], ["--seed", 1]
    ]  # fmt: skip
    for count, variant in enumerate(variants, 1):
        assert run(suite, tmp_path / "r", *variant) == 0
        assert len(fits) == count
    recipe[0] = "two"
    assert run(suite, tmp_path / "r", "--epsilons", 0.75) == 0
    assert len(set(fits)) == len(fits) == 6


def test_a_failed_surrogate_is_a_failed_cell_and_is_trained_again(tmp_path: Path):
    broken = [True]

    def fit(module: nn.Module, images: Tensor, answers: Tensor, seed: int) -> None:
        if broken[0]:
            raise RuntimeError("no fit today")

    define("borrower", Transfer, lambda model, images: model.surrogate("mine", SmallCNN, fit) and None)
    suite = suite_file(tmp_path / "s.toml", attacks=["borrower"], images=1, samples=20)
    assert run(suite, tmp_path / "r") == 1
    assert "no fit today" in (by_attack(tmp_path / "r")["borrower"].error or "")
    broken[0] = False
    assert run(suite, tmp_path / "r") == 0


def test_settings_provenance_and_seconds_are_stored_with_the_cell(tmp_path: Path):
    suite = suite_file(tmp_path / "s.toml", attacks=["clean"], seed=5)
    assert run(suite, tmp_path / "r") == 0
    cell = by_attack(tmp_path / "r")["clean"]
    assert (cell.settings["seed"], cell.settings["n"], cell.settings["images"]) == (5, 100, [0, 99, 198, 297])
    assert {"commit", "torch", "numpy", "device", "python", "threads"} <= cell.provenance.keys()
    assert 0 < cell.seconds < 60
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
