"""``train``: weights and their model card; stopped at any instant, the same command goes on from there."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import platform
import re
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import tqdm
from benchmark_helpers import PATIENCE, TARGET, command, error_line, start
from safetensors.torch import load_file
from torch import nn

import benchmark.commands.train
from benchmark.tables.model_card import Measured, Pace, model_card
from targets import DATA, TARGETS, DataSet, SmoothedClassifier, Split, Target
from targets.defences import Consistency, Ensemble
from targets.mean_logits import trained_by
from targets.precision import Bfloat16
from targets.training import Recipe

RECIPE = Recipe(epochs=4, batch=16, learning_rate=0.07, crop=1, flip=True)
STEPS = 4
"""Batches an epoch."""

stops = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


class Tiny(nn.Module):
    """A linear classifier that sends its process a signal at a training step of choice."""

    stop_at: ClassVar[tuple[int, signal.Signals] | None] = None
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * 6 * 6, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            Tiny.steps += 1
            if Tiny.stop_at is not None and Tiny.stop_at[0] == Tiny.steps:
                signal.raise_signal(Tiny.stop_at[1])
        logits: torch.Tensor = self.layer(images.flatten(1))
        return logits


def split(name: str) -> Split:
    """Bright images and dark ones."""
    generator = torch.Generator().manual_seed(len(name))
    labels = torch.arange({"train": 64, "adversary": 8, "evaluation": 45}[name]) % 2
    images = 0.6 * torch.rand(len(labels), 3, 6, 6, generator=generator) + 0.4 * labels[:, None, None, None]
    return Split(images, labels)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setattr(Tiny, "steps", 0)
    monkeypatch.setattr(Tiny, "stop_at", None)
    DATA.add("six-by-six", DataSet("six-by-six", num_classes=2, shape=(3, 6, 6), split=split))
    target = Target("tiny-sigma0.25", 0.25, "six-by-six", Tiny, recipe=RECIPE, description="a linear classifier")
    TARGETS.add(target.name, target)  # conftest takes it out again
    yield target
    DATA.remove("six-by-six")


def train(folder: Path, *arguments: object) -> int:
    return command("train", "tiny-sigma0.25", "--output", folder, "--device", "cpu", *arguments)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


FINISHED = ["tiny-sigma0.25.md", "tiny-sigma0.25.safetensors"]


@pytest.fixture
def whole(tmp_path: Path, tiny: Target, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of a training that nothing stopped."""
    assert train(tmp_path / "whole", "--quiet") == 0
    assert names(tmp_path / "whole") == FINISHED
    capsys.readouterr()
    Tiny.steps = 0
    return tmp_path / "whole"


def same_weights(one: Path, other: Path) -> bool:
    return (one / FINISHED[1]).read_bytes() == (other / FINISHED[1]).read_bytes()


@stops
@pytest.mark.parametrize("step", [1, STEPS + 1, 3 * STEPS])
def test_stopped_and_started_again_it_ends_with_the_same_weights(
    step: int, number: signal.Signals, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "stopped"
    Tiny.stop_at = (step, number)
    assert train(folder) == 130
    out, err = capsys.readouterr()
    assert out == ""
    checkpoint = folder / "tiny-sigma0.25.checkpoint"
    finished = (step - 1) // STEPS
    kept = f"finished epochs are kept in {checkpoint}" if finished else "no epoch was finished"
    assert err == f"stopped; {kept}. Run the same command again to go on.\n"
    assert names(folder) == ([checkpoint.name] if finished else [])

    Tiny.steps, Tiny.stop_at = 0, None
    assert train(folder) == 0
    assert Tiny.steps == STEPS * (4 - finished)
    assert same_weights(folder, whole)
    assert names(folder) == FINISHED
    card = (folder / FINISHED[0]).read_text(encoding="utf-8")
    measured = f" (measured on the last {4 - finished} of 4, since training was last resumed) |"
    assert (
        re.search(r"\| time \| [\d.e-]+ s an epoch" + re.escape(measured), card) if finished else measured not in card
    )


def test_stopped_while_it_measures_it_need_not_train_again(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "stopped"

    def stop(*arguments: Any, **options: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(SmoothedClassifier, "predict", stop)
        assert train(folder) == 130
    assert "finished epochs are kept" in capsys.readouterr().err
    assert names(folder) == ["tiny-sigma0.25.checkpoint", "tiny-sigma0.25.safetensors"]
    Tiny.steps = 0
    assert train(folder) == 0
    assert Tiny.steps == 0
    assert same_weights(folder, whole)
    assert names(folder) == FINISHED
    assert "| time | not measured: all epochs were held already" in (folder / FINISHED[0]).read_text(encoding="utf-8")


def test_another_seed_does_not_go_on_from_the_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Tiny.stop_at = (STEPS + 2, signal.SIGINT)
    assert train(tmp_path) == 130
    capsys.readouterr()
    assert train(tmp_path, "--seed", 5) == 2
    path = tmp_path / "tiny-sigma0.25.checkpoint"
    assert error_line(capsys.readouterr().err) == (
        f"error: the checkpoint {path} is of another training (seed 0, not 5); delete it to begin anew"
    )
    path.write_bytes(b"damaged")
    assert train(tmp_path) == 2
    assert error_line(capsys.readouterr().err) == f"error: the checkpoint {path} is damaged; delete it to begin anew"


def test_resumed_epochs_are_shown_as_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The bar of a terminal, into a buffer."""
    screen = io.StringIO()

    class Shown(tqdm.tqdm):  # type: ignore[type-arg]
        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, "disable": False, "file": screen, "mininterval": 0})

    monkeypatch.setattr(tqdm, "tqdm", Shown)
    Tiny.stop_at = (3 * STEPS + 1, signal.SIGINT)
    assert train(tmp_path) == 130
    screen.truncate(0)
    Tiny.stop_at = None
    assert train(tmp_path) == 0
    shown = re.findall(r"tiny-sigma0\.25: +\d+%\|[^|]*\| (\d)/4", screen.getvalue())
    assert shown[0] == "0"
    assert set(shown) == {"0", "3", "4"}
    assert re.search(r"measuring: +\d+%\|[^|]*\| 20/45", screen.getvalue())


def test_quiet_says_nothing_until_the_end(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert train(tmp_path / "quiet", "--quiet") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert re.match(r"tiny-sigma0\.25: accuracy \d+\.\d%, abstention \d+\.\d% on 45 images \(n = 1000\)\n", out)
    assert out.endswith(f"\nModel card: {tmp_path / 'quiet' / 'tiny-sigma0.25.md'}\n")


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


def test_a_device_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command("train", "tiny-sigma0.25", "--output", tmp_path / "w", "--device", "cuda") == 2
    assert "PyTorch sees no CUDA device; use --device cpu" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "w").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_real_program_stops_soon_and_says_how_to_go_on(tmp_path: Path):
    checkpoint = tmp_path / "w" / f"{TARGET}.checkpoint"
    process = start("train", TARGET, "--output", tmp_path / "w", "--device", "cpu")
    try:
        end = time.monotonic() + PATIENCE
        while not checkpoint.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert err == f"stopped; finished epochs are kept in {checkpoint}. Run the same command again to go on.\n"
    assert 1 <= torch.load(checkpoint, weights_only=True)["epoch"] < 200


def ensemble(tiny: Target) -> str:
    """An ensemble of three of the tiny networks."""
    name = "tiny-ensemble-sigma0.25"
    build = trained_by(Ensemble(), Tiny)
    TARGETS.add(name, dataclasses.replace(tiny, name=name, build=build, defence=Ensemble()))
    return name


def test_an_ensemble_s_members_are_trained_one_by_one_and_go_on_where_they_stopped(tiny: Target, tmp_path: Path):
    name = ensemble(tiny)
    assert command("train", name, "--output", tmp_path / "whole", "--quiet", "--device", "cpu") == 0
    assert Tiny.steps == 3 * 4 * STEPS
    weights = f"{name}.safetensors"
    held = load_file(tmp_path / "whole" / weights)
    assert sorted(held) == sorted(f"members.{i}.layer.{part}" for i in range(3) for part in ("weight", "bias"))

    folder = tmp_path / "stopped"
    Tiny.steps, Tiny.stop_at = 0, (5 * STEPS, signal.SIGINT)  # in the first epoch of the second member
    assert command("train", name, "--output", folder, "--quiet", "--device", "cpu") == 130
    assert names(folder) == [f"{name}.checkpoint"]
    Tiny.steps, Tiny.stop_at = 0, None
    assert command("train", name, "--output", folder, "--quiet", "--device", "cpu") == 0
    assert Tiny.steps == 2 * 4 * STEPS
    assert (folder / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()
    assert names(folder) == [f"{name}.md", weights]
    card = (folder / f"{name}.md").read_text(encoding="utf-8")
    assert "measured on the last 8 of 12" in card
    assert "| members | 3 |" in card


def test_an_ensemble_s_first_member_is_the_network_that_gaussian_training_gives(tiny: Target, tmp_path: Path):
    name = ensemble(tiny)
    assert train(tmp_path, "--quiet") == 0
    assert command("train", name, "--output", tmp_path, "--quiet", "--device", "cpu") == 0
    single, several = load_file(tmp_path / FINISHED[1]), load_file(tmp_path / f"{name}.safetensors")
    assert torch.equal(several["members.0.layer.weight"], single["layer.weight"])
    assert not torch.equal(several["members.1.layer.weight"], single["layer.weight"])
