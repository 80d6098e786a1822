"""The command line: one clear line for bad input, and nothing of the user's is touched."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmark_helpers import TARGET, board, command, error_line, program, run, suite_file

import targets.target
from targets import TARGETS
from targets.data.digits import split
from targets.models import SmallCNN
from targets.training import Recipe, train


def test_train_writes_weights_that_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from safetensors.torch import load_file

    quick = dataclasses.replace(TARGETS[TARGET], recipe=Recipe(epochs=1, batch=250))
    TARGETS.replace(TARGET, quick)
    random = torch.random.get_rng_state()
    for name, seed in {"one": 0, "two": 0, "other": 1}.items():
        assert command("train", TARGET, "--output", tmp_path / name, "--quiet", "--seed", seed) == 0
    assert torch.equal(torch.random.get_rng_state(), random)
    out, err = capsys.readouterr()
    path = tmp_path / "one" / f"{TARGET}.safetensors"
    assert re.search(rf"{TARGET}: accuracy \d+\.\d%, abstention \d+\.\d% on 397 images \(n = 1000\)", out)
    assert f"{path} (SHA-256 " in out
    assert "not the registered weights, bit for bit" in out
    assert err == ""
    assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert path.read_bytes() != (tmp_path / "other" / path.name).read_bytes()

    # Whatever a processor makes of so little training, the weights are those of that training.
    torch.manual_seed(0)
    expected = train(SmallCNN(), split("train"), quick.sigma, quick.recipe, seed=0).state_dict()
    found = load_file(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


BAD: dict[str, tuple[list[str], list[str]]] = {
    "nothing": ([], ["say what to run", "--all"]),
    "device alone": (["--device", "cpu"], ["say what to run"]),
    "target": (["--targets", "digits-sigma0.5"], ["unknown target", "did you mean 'digits-sigma0.50'?"]),
    "attack": (["--attacks", "margni"], ["unknown attack 'margni'", "did you mean 'margin'?"]),
    "pattern": (["--attacks", "clean", "q*"], ["unknown attack 'q*'", "known: "]),
    "budgets of none": (["--attacks", "margin", "--query-budgets", "10"], ["--query-budgets: margin make no queries"]),
    "suite": (["--suite", "digts"], ["unknown suite 'digts'", "did you mean 'digits'?"]),
    "suite file": (["--suite", "absent.toml"], ["there is no suite file absent.toml"]),
    "epsilon 0": (["--all", "--epsilons", "0.5", "0"], ["epsilon is 0", "above 0"]),
    "epsilon < 0": (["--all", "--epsilons", "-0.5"], ["epsilon is -0.5", "above 0"]),
    "epsilon nan": (["--all", "--epsilons", "nan"], ["epsilon is nan"]),
    "n": (["--all", "--samples", "10"], ["n = 10", "alpha = 0.001", "always abstain", "at least 11"]),
    "alpha 0": (["--all", "--alpha", "0"], ["alpha is 0", "above 0 and at most 0.5"]),
    "alpha 1": (["--all", "--alpha", "1"], ["alpha is 1", "above 0 and at most 0.5"]),
    "alpha 2": (["--all", "--alpha", "2"], ["alpha is 2", "above 0 and at most 0.5"]),
    "images 0": (["--all", "--images", "0"], ["images is 0"]),
    "images -1": (["--all", "--images", "-1"], ["images is -1"]),
    "seed": (["--all", "--seed", "99999999999999999999"], ["seed is 99999999999999999999", "64 bits"]),
    "samples": (["--all", "--samples", "9" * 30], ["n is 9999", "at most 10,000,000 noise samples"]),
    "budget": (["--all", "--query-budgets", "9" * 20], ["a query budget is 9999", "64 bits"]),
    "epsilon inf": (["--all", "--epsilons", "inf"], ["epsilon is inf", "above 0"]),
    "too many images": (["--all", "--images", "398"], ["398 images", "from 1 to 397"]),
    "plugin": (["--all", "--plugin", "absent.py"], ["there is no plugin file absent.py"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    arguments, words = BAD[case]
    assert command("run", *arguments) == 2
    out, err = capsys.readouterr()
    line = error_line(err)
    assert all(word in line for word in words), line
    assert out == ""
    assert not list(tmp_path.iterdir())  # no results folder was begun


def test_rows_of_other_images_are_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    results = tmp_path / "results"
    suite = suite_file(tmp_path / "s.toml", images=4)

    def said(*arguments: object) -> str:
        assert command("run", "--suite", suite, "--results", results, "--quiet", *arguments) == 0
        return capsys.readouterr().err

    assert said() == ""
    assert said("--images", 3, "--seed", 1) == ""
    assert said("--images", 8).startswith(f"{results} has rows of 4 images, too. They do not compare with these of 8")
    assert f"{results} has rows of 4, 8 images, too" in said("--images", 3)


def a_file(results: Path) -> str:
    results.write_text("mine", encoding="utf-8")
    return "is not a folder"


def a_foreign_folder(results: Path) -> str:
    results.mkdir()
    (results / "thesis.tex").write_text("mine", encoding="utf-8")
    return "holds other files"


def another_version(results: Path) -> str:
    results.mkdir()
    (results / "store.json").write_text('{"project": "abstention-bench", "schema_version": 99}', encoding="utf-8")
    return "schema version 99"


def another_project(results: Path) -> str:
    results.mkdir()
    (results / "store.json").write_text('{"project": "other", "schema_version": 1}', encoding="utf-8")
    return "belongs to 'other'"


@pytest.mark.parametrize("make", [a_file, a_foreign_folder, another_version, another_project])
@pytest.mark.parametrize("verb", ["run", "publish"])
def test_a_results_folder_that_is_not_ours_is_left_alone(
    make: Callable[[Path], str], verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    results = tmp_path / "results"
    words = make(results)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    suite = suite_file(tmp_path / "s.toml")
    before[suite] = suite.read_bytes()
    extra = ["--suite", suite] if verb == "run" else ["--output", tmp_path / "out"]
    assert command(verb, "--results", results, *extra) == 2
    assert words in error_line(capsys.readouterr().err)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_train_of_an_unknown_target_and_of_one_without_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("train", "digits-sigma0.5", "--output", tmp_path / "w") == 2
    assert "did you mean 'digits-sigma0.50'?" in error_line(capsys.readouterr().err)
    targets.register("digits-mine", sigma=0.5, data="digits")(SmallCNN)
    assert command("train", "digits-mine", "--output", tmp_path / "w") == 2
    assert "says nothing of its training" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "w").exists()


def test_train_into_a_file_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    quick = dataclasses.replace(TARGETS[TARGET], recipe=Recipe(epochs=1))
    TARGETS.replace(TARGET, quick)
    (tmp_path / "w").write_text("mine", encoding="utf-8")
    assert command("train", TARGET, "--output", tmp_path / "w", "--quiet") == 2
    assert str(tmp_path / "w") in error_line(capsys.readouterr().err)


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing"])
def test_damaged_weights_are_refused_and_what_was_done_is_kept(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    weights = tmp_path / "weights"
    weights.mkdir()
    for path in targets.target.FOLDER.glob("*.safetensors"):
        (weights / path.name).write_bytes(path.read_bytes())
    broken = weights / f"{TARGET}.safetensors"
    content = bytearray(broken.read_bytes())
    content[-1] ^= 1
    if damage == "missing":
        broken.unlink()
    else:
        broken.write_bytes(bytes(content) if damage == "flipped" else bytes(content[:1000]))
    monkeypatch.setattr(targets.target, "FOLDER", weights)
    assert run(suite_file(tmp_path / "one.toml", targets=["digits-sigma0.25"]), tmp_path / "r") == 0
    capsys.readouterr()
    assert run(suite_file(tmp_path / "two.toml", targets=["digits-sigma0.25", TARGET]), tmp_path / "r") == 2
    line = error_line(capsys.readouterr().err)
    assert f"{TARGET}.safetensors" in line
    assert ("missing" if damage == "missing" else "damaged: SHA-256") in line
    assert command("publish", "--results", tmp_path / "r", "--output", tmp_path / "out") == 0
    assert {row["target"] for row in board(tmp_path / "out")} == {"digits-sigma0.25"}


def test_cuda_asked_for_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command("run", "--all", "--device", "cuda", "--results", tmp_path / "r") == 2
    assert "use --device cpu" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "r").exists()


def test_the_real_program_says_bad_input_in_one_line(tmp_path: Path):
    done = program("run", "--attacks", "margni", cwd=tmp_path)
    assert done.returncode == 2
    assert error_line(done.stderr) == "error: unknown attack 'margni'; did you mean 'margin'?"
    assert done.stdout == ""


def test_the_evaluation_images_are_spread_over_the_split(tmp_path: Path):
    from benchmark_helpers import records

    suite = suite_file(tmp_path / "s.toml", attacks=["clean"])
    assert run(suite, tmp_path / "r", "--images", 5) == 0
    found = records(tmp_path / "r", "clean")
    assert found["image"].tolist() == [0, 79, 158, 238, 317]
    expected: np.ndarray[Any, Any] = split("evaluation").labels.numpy()[found["image"]]
    assert found["label"].tolist() == expected.tolist()
