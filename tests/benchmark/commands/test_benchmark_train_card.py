"""The card of a training says what was trained, how and how well."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmark_helpers import command
from commands_training import FINISHED, RECIPE, Tiny, names, same_weights, split, train
from safetensors.torch import load_file

import benchmark.commands.train
from benchmark.tables.model_card import Measured, Pace, model_card
from targets import TARGETS, SmoothedClassifier, Target
from targets.defences import Consistency
from targets.precision import Bfloat16
from targets.training import Recipe

pytestmark = pytest.mark.usefixtures("tiny")


def table(card: str) -> dict[str, str]:
    """The rows of a card's tables."""
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", card, re.MULTILINE))


def test_the_card_says_what_the_weights_are(whole: Path, tmp_path: Path):
    card = (whole / FINISHED[0]).read_text(encoding="utf-8")
    rows = table(card)
    digest = hashlib.sha256((whole / FINISHED[1]).read_bytes()).hexdigest()
    assert card.startswith("# tiny-sigma0.25\n\na linear classifier.\n")
    assert rows["weights"] == f"`tiny-sigma0.25.safetensors`, SHA-256 `{digest}`"
    assert rows["architecture"] == "Tiny, 218 parameters"
    assert rows["input, output"] == "images (3, 6, 6) in [0, 1], 2 logits"
    assert rows["data"] == "`six-by-six`: trained on 64 images, measured on 45 of 45 others, evenly spaced"
    assert "SGD with Nesterov momentum" in card
    for field in dataclasses.fields(Recipe):
        value = getattr(RECIPE, field.name)
        shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        assert rows[field.name.replace("_", " ")] == shown
    assert rows["seed"] == "0"
    assert rows["precision"] == rows["trained in"] == "float32"
    assert rows["torch"] == torch.__version__.partition("+")[0]
    assert rows["threads"] == str(torch.get_num_threads())
    assert {"device", "commit", "numpy", "time"} <= rows.keys()
    assert platform.node() not in card
    assert str(tmp_path) not in card


def test_the_rates_of_the_card_are_those_of_the_weights(whole: Path):
    card = (whole / FINISHED[0]).read_text(encoding="utf-8")
    module = Tiny()
    module.load_state_dict(load_file(whole / FINISHED[1]))
    evaluation = split("evaluation")
    answers = SmoothedClassifier(module, 0.25, 2, name="tiny-sigma0.25").predict(evaluation.images)
    right, abstained = (answers == evaluation.labels.numpy()).mean(), (answers == -1).mean()
    assert 0 < abstained < 1
    rows = table(card)
    assert rows["accuracy"].startswith(f"{right:.1%} [")
    assert rows["abstention"].startswith(f"{abstained:.1%} [")
    assert "n = 1,000, α = 0.001 and seed 0, with 95% Clopper–Pearson" in card


def test_a_target_in_bfloat16_has_the_same_weights_and_is_measured_in_bfloat16(
    whole: Path, tiny: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    half = dataclasses.replace(tiny, name="tiny-sigma0.25-bf16", precision="bfloat16")
    TARGETS.add(half.name, half)
    asked: list[SmoothedClassifier] = []
    predict = SmoothedClassifier.predict

    def recorded(self: SmoothedClassifier, *arguments: Any, **options: Any) -> Any:
        asked.append(self)
        return predict(self, *arguments, **options)

    monkeypatch.setattr(SmoothedClassifier, "predict", recorded)
    assert command("train", half.name, "--output", tmp_path / "half", "--device", "cpu", "--quiet") == 0
    assert same_weights(whole, tmp_path / "half")
    assert names(tmp_path / "half") == FINISHED
    assert {(type(target.base_classifier), target.stream) for target in asked} == {(Bfloat16, "tiny-sigma0.25")}
    rows = table((tmp_path / "half" / FINISHED[0]).read_text(encoding="utf-8"))
    assert (rows["precision"], rows["trained in"]) == ("bfloat16", "float32")


def test_the_card_s_command_makes_the_same_weights(whole: Path, tmp_path: Path):
    card = (whole / FINISHED[0]).read_text(encoding="utf-8")
    (line,) = re.findall(r"```bash\n(.+)\n```", card)
    python, *arguments = shlex.split(line)
    assert (python, arguments[:2]) == ("python", ["-m", "benchmark"])
    assert command(*arguments[2:], "--output", tmp_path / "again", "--quiet") == 0
    assert same_weights(whole, tmp_path / "again")


def test_at_most_so_many_images_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(benchmark.commands.train, "IMAGES", 9)
    asked: list[int] = []
    predict = SmoothedClassifier.predict

    def recorded(self: SmoothedClassifier, *arguments: Any, **options: Any) -> Any:
        asked.extend(options["indices"])
        return predict(self, *arguments, **options)

    monkeypatch.setattr(SmoothedClassifier, "predict", recorded)
    assert train(tmp_path, "--quiet") == 0
    assert asked == list(range(0, 45, 5))
    assert "measured on 9 of 45 others" in (tmp_path / FINISHED[0]).read_text(encoding="utf-8")


def test_the_card_of_a_bfloat16_training_says_whether_it_was_one(tiny: Target, monkeypatch: pytest.MonkeyPatch):
    target = dataclasses.replace(tiny, recipe=dataclasses.replace(RECIPE, bfloat16=True))
    for has, precision in [(True, "bfloat16"), (False, "float32")]:
        monkeypatch.setattr("benchmark.tables.model_card.has_bfloat16", lambda device, has=has: has)
        card = model_card(target, Tiny(), 0, torch.device("cpu"), "d" * 64, Measured(1000, 5, 4, 1), Pace(4, 2.0))
        assert table(card)["trained in"] == precision
        assert table(card)["precision"] == "float32"
        assert table(card)["time"] == "2 s, 0.5 s an epoch"


def test_the_card_names_the_defence_its_hyper_parameters_and_its_source(tiny: Target):
    target = dataclasses.replace(tiny, defence=Consistency(weight=7.5))
    arguments = (Tiny(), 0, torch.device("cpu"), "d" * 64, Measured(1000, 5, 4, 1), Pace(4, 2.0))
    card = model_card(target, *arguments)
    shown = table(card)
    assert (shown["training"], shown["weight"], shown["entropy"], shown["copies"]) == ("consistency", "7.5", "0.5", "2")
    assert "Consistency Regularization for Certified Robustness of Smoothed Classifiers" in card
    assert "https://arxiv.org/abs/2006.04062" in card
    plain = model_card(tiny, *arguments)
    assert table(plain)["training"] == "gaussian"
    assert "Cross-entropy on noisy images. Cohen, Rosenfeld and Kolter 2019" in plain
