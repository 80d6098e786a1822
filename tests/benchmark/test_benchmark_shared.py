"""Surrogates: trained once for a target, a recipe, an n and a seed, and kept."""

from __future__ import annotations

from pathlib import Path

import torch
from benchmark_helpers import board, by_attack, define, records, run, suite_file
from torch import Tensor, nn

from attacks import Transfer
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
