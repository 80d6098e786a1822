"""``train``: weights and their model card; stopped at any instant, the same command goes on from there."""

from __future__ import annotations

import dataclasses
import io
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import tqdm
from benchmark_forked import Forked, needs_fork
from benchmark_helpers import PATIENCE, TARGET, command, error_line
from commands_training import FINISHED, STEPS, Tiny, names, same_weights, train
from safetensors.torch import load_file

from targets import TARGETS, SmoothedClassifier, Target
from targets.defences import Ensemble
from targets.mean_logits import trained_by

pytestmark = pytest.mark.usefixtures("tiny")


stops = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


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


def test_an_output_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").touch()
    assert command("train", "tiny-sigma0.25", "--output", tmp_path / "file", "--device", "cpu") == 2
    assert "file is not a folder; give another --output" in error_line(capsys.readouterr().err)


def test_a_device_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command("train", "tiny-sigma0.25", "--output", tmp_path / "w", "--device", "cuda") == 2
    assert "PyTorch sees no CUDA device; use --device cpu" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "w").exists()


@needs_fork
def test_a_process_of_its_own_stops_soon_and_says_how_to_go_on(tmp_path: Path):
    checkpoint = tmp_path / "w" / f"{TARGET}.checkpoint"
    process = Forked(tmp_path, "train", TARGET, "--output", tmp_path / "w", "--device", "cpu")
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
