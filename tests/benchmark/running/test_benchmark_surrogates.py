"""Surrogates: trained once for a target (or its data), a recipe, an n and a seed, and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmark_helpers import board, by_attack, define, records, run, suite_file
from torch import Tensor, nn

import attacks.surrogate
from attacks import Deployment, Meter, Transfer
from attacks.surrogate import SurrogateRecipe
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.clean_images import CleanImages
from benchmark.running.surrogates import Surrogates
from leaderboard import Store, StoreError
from targets import DATA, load
from targets.data import Split
from targets.models import SmallCNN


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


def test_a_target_of_another_sigma_under_the_same_name_shares_nothing(
    tmp_path: Path, counted_votes: list[tuple[str, str, int]]
):
    store, asked = Store.open(tmp_path / "r"), []
    image = DATA["digits"].split("evaluation").images[:1]
    for sigma in (0.5, 0.25, 0.5):
        target = replace(load("digits-sigma0.50", "cpu"), sigma=sigma)
        CleanImages(store, target, image, (0,), seed=0).votes(100)
        Surrogates(store, target, 20, 0.001, 0).of_answers(
            "mine", lambda: SmallCNN(num_classes=11), lambda module, images, answers, seed: asked.append(seed)
        )
    assert [purpose for _, purpose, _ in counted_votes] == ["clean", "adversary"] * 2
    assert len(set(asked)) == len(asked) == 2


@pytest.mark.parametrize("kind", [RuntimeError, StoreError])
def test_a_failed_surrogate_is_a_failed_cell_and_is_trained_again(tmp_path: Path, kind: type[Exception]):
    broken = [True]

    def fit(module: nn.Module, images: Tensor, answers: Tensor, seed: int) -> None:
        if broken[0]:
            raise kind("no fit today")

    define("borrower", Transfer, lambda model, images: model.surrogate("mine", SmallCNN, fit) and None)
    suite = suite_file(tmp_path / "s.toml", attacks=["borrower"], images=1, samples=20)
    assert run(suite, tmp_path / "r") == 1
    assert "no fit today" in (by_attack(tmp_path / "r")["borrower"].error or "")
    broken[0] = False
    assert run(suite, tmp_path / "r") == 0


def test_a_surrogate_of_the_same_data_asks_nothing_and_serves_every_target_on_it(
    tmp_path: Path, counted_votes: list[tuple[str, str, int]]
):
    fits: list[Split] = []
    used: list[Tensor] = []

    def fit(module: nn.Module, split: Split, seed: int, checkpoint: Path) -> None:
        fits.append(split)
        with torch.no_grad():
            next(module.parameters()).add_(1.0)

    def act(model: Transfer, images: Tensor) -> None:
        module = model.same_data_surrogate("mine", SmallCNN, fit)
        assert not module.training
        assert not any(parameter.requires_grad for parameter in module.parameters())
        used.append(module(torch.zeros(1, 1, 8, 8)))

    # The first to be registered is the first to run.
    define("borrower", Transfer, lambda model, images: model.surrogate("mine", SmallCNN, lambda *_: None) and None)
    define("neighbour", Transfer, act)
    targets = ["digits-sigma0.25", "digits-sigma0.50"]
    suite = suite_file(tmp_path / "s.toml", attacks=["neighbour"], targets=targets, images=1, samples=20)
    assert run(suite, tmp_path / "r") == 0
    assert len(used) == 2
    assert torch.equal(*used)
    (split,) = fits
    assert torch.equal(split.images, DATA["digits"].split("train").images)
    assert torch.equal(split.labels, DATA["digits"].split("train").labels)
    assert [row["surrogate_queries"] for row in board(tmp_path / "r")] == [0, 0]
    assert {purpose for _, purpose, _ in counted_votes} == {"clean", "ceiling", "evaluation"}
    assert run(suite, tmp_path / "r", "--samples", 21, "--epsilons", 0.75) == 0
    assert len(fits) == 1

    # Nor do those count that another attack's surrogate has cost, earlier in the same run.
    assert run(suite, tmp_path / "both", "--attacks", "borrower", "neighbour") == 0
    asked = {row["attack"]: row["surrogate_queries"] for row in board(tmp_path / "both")}
    assert asked == {"borrower": 400, "neighbour": 0}
    assert len(fits) == 2
    assert run(suite, tmp_path / "r", "--seed", 1) == 0
    assert len(fits) == 3


def test_a_surrogate_of_the_same_data_goes_on_where_its_training_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = SurrogateRecipe("small-cnn", epochs=4, batch=250, learning_rate=0.05, abstention=False, sigma=0.5)
    real, begun = attacks.surrogate.train, []

    def trained(folder: str, killed_after: int | None) -> nn.Module:
        def train(*arguments: Any, **options: Any) -> nn.Module:
            def progress(epoch: int, loss: float) -> None:
                if epoch + 1 == killed_after:
                    raise KeyboardInterrupt

            return real(*arguments, **{**options, "progress": progress, "resumed": begun.append})

        monkeypatch.setattr(attacks.surrogate, "train", train)
        target = load("digits-sigma0.50", "cpu")
        surrogates = CellSurrogates(Surrogates(Store.open(tmp_path / folder), target, 100, 0.001, 0))
        model = Transfer(
            surrogates.of_answers, surrogates.of_same_data, Deployment(10, (1, 8, 8), 0.5, 100, 0.001), Meter(1)
        )
        return recipe.trained_on_same_data(model)

    whole = trained("whole", None).state_dict()
    with pytest.raises(KeyboardInterrupt):
        trained("killed", 3)
    assert list((tmp_path / "killed" / "shared").glob("*.checkpoint"))
    again = trained("killed", None).state_dict()
    assert begun == [0, 0, 3]
    assert not list((tmp_path / "killed" / "shared").glob("*.checkpoint"))
    assert all(torch.equal(again[name], whole[name]) for name in whole)
