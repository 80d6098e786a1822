"""What an attack asks of its access is counted by image, and ends at the query budget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmark_helpers import board, by_attack, define, nothing, records, run, suite_file
from torch import Tensor

from attacks import Access, BudgetExhausted, Decision, NoAccess, Score, WhiteBox


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
    assert "BudgetExhausted: the budget of 3 queries for each image is spent" in (error or "")
