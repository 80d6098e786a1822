"""The command line: help without torch, verbs, and one clear line for bad input."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmark_helpers import ROOT, TARGET, board, command, environment, error_line, program, run, suite_file

import targets.target
from attacks import ATTACKS
from benchmark.options import parser
from targets import TARGETS
from targets.defences import Consistency
from targets.digits import split
from targets.models import SmallCNN
from targets.training import Recipe, train

HEAVY = {"torch", "numpy", "scipy", "pandas", "pyarrow", "sklearn", "foolbox", "art", "tqdm", "tabulate"}


@pytest.mark.parametrize("verb", ["", "run", "list", "publish", "train", "certify", "predict", "new", "check", "show"])
def test_help_imports_nothing_heavy(verb: str):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "benchmark", *verb.split(), "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert done.stdout.startswith(f"usage: python -m benchmark {verb}".rstrip())
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & HEAVY


def test_help_names_every_verb_and_option(capsys: pytest.CaptureFixture[str]):
    for verb, names in {
        (): "run list new check show publish adopt remove train certify predict reproduce",
        ("run",): "--all --suite --targets --attacks --epsilons --query-budgets --images --samples --alpha --seed "
        "--ceiling-samples --ceiling-samples-max --no-best-of --set --device --workers --engine --scheduler "
        "--engine-options --cell-timeout --cell-memory --dry-run --results --data --plugin --tables --quiet",
        ("list",): "targets attacks suites --json",
        ("publish",): "--suite --results --output",
        ("new",): "attack target NAME --access --output",
        ("check",): "FILE|NAME --plugin",
        ("show",): "CELL --results",
        ("train",): "TARGET --data",
        ("certify",): "TARGET --images --n0 --samples --alpha --seed --device --output --data --plugin --quiet 10000",
        ("predict",): "TARGET --images --samples --alpha --seed --device --output --data --plugin --quiet 1000",
    }.items():
        with pytest.raises(SystemExit) as caught:
            command(*verb, "--help")
        assert caught.value.code == 0
        out = capsys.readouterr().out
        assert all(name in out for name in names.split()), out


@pytest.mark.parametrize(
    ("started", "name"),
    [
        ("/venv/bin/abstention-bench", "abstention-bench"),
        ("C:/venv/Scripts/abstention-bench.exe", "abstention-bench"),
        ("/checkout/benchmark/__main__.py", "python -m benchmark"),
    ],
)
def test_usage_names_the_command_that_was_used(started: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr(sys, "argv", [started, "run"])
    with pytest.raises(SystemExit):
        command("run", "--help")
    assert capsys.readouterr().out.startswith(f"usage: {name} run ")


@pytest.mark.parametrize("what", ["targets", "attacks", "suites"])
def test_list_as_a_table_and_as_json(what: str, capsys: pytest.CaptureFixture[str]):
    assert command("list", what) == 0
    table = capsys.readouterr().out
    assert command("list", what, "--json") == 0
    entries = json.loads(capsys.readouterr().out)
    names = [entry["name"] for entry in entries]
    suites = [
        "audit",
        "audit-cifar10",
        "cifar10",
        "cifar10-curves",
        "cifar10-from-10",
        "cifar10-larger",
        "digits",
        "digits-curves",
        "digits-defences",
    ]
    assert names == {"targets": list(TARGETS), "attacks": list(ATTACKS), "suites": suites}[what]
    assert names
    rows = table.splitlines()[2:]
    assert [row.split()[0] for row in rows] == names
    assert table.startswith("name")


def test_list_targets_says_how_each_was_trained(capsys: pytest.CaptureFixture[str]):
    name = "digits-consistent"
    TARGETS.add(name, dataclasses.replace(TARGETS[TARGET], name=name, defence=Consistency()))
    targets.register("digits-mine", sigma=0.5, data="digits")(SmallCNN)
    assert command("list", "targets", "--json") == 0
    trained = {entry["name"]: entry["training"] for entry in json.loads(capsys.readouterr().out)}
    assert trained[TARGET] == "gaussian"
    assert trained[name] == "consistency"
    assert trained["digits-mine"] is None
    assert command("list", "targets") == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert [rows[name][3] for name in ("name", *trained)][:2] == ["training", "gaussian"]
    assert rows["digits-mine"][3] == "—"


def test_list_attacks_says_access_and_hyper_parameters(capsys: pytest.CaptureFixture[str]):
    assert command("list", "attacks", "--json") == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries["zoo"]["access"] == "score"
    assert entries["margin"]["access"] == "white-box"
    assert entries["cw-transfer"]["access"] == "transfer"
    assert entries["clean"] == {
        "name": "clean", "access": "none", "description": ATTACKS["clean"].summary(), "parameters": {},
    }  # fmt: skip
    for name, entry in entries.items():
        assert entry["parameters"] == dataclasses.asdict(ATTACKS[name]())
        assert entry["description"]


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


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run", "--epsilons", "many"],
        ["run", "--images", "2.5"],
        ["run", "--device", "tpu"],
        ["run", "--all", "--suite", "digits"],
        ["run", "--sampels", "100"],
        ["run", "--sample", "100"],
        ["list"],
        ["list", "planets"],
        ["train"],
    ],
)
def test_what_the_parser_refuses_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        command(*arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


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


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["run", "--epsilon", "0.5"], "did you mean --epsilons?; see python -m benchmark run --help"),
        (["publish", "--result", "x"], "did you mean --results?; see python -m benchmark publish --help"),
        (["certify", TARGET, "--n", "9"], "did you mean --samples?; see python -m benchmark certify --help"),
        (
            ["certify", TARGET, "--N", "9"],
            "unknown option --N; did you mean --samples?; see python -m benchmark",
        ),
        (["certify", TARGET, "--N=9"], "did you mean --samples?; see python -m benchmark certify --help"),
        (["certify", TARGET, "--N0", "9"], "did you mean --n0?; see python -m benchmark certify --help"),
        (["predict", TARGET, "--N0", "9"], "unknown option --N0; see python -m benchmark predict --help"),
        (
            ["certify", TARGET, "--skip", "20"],
            "option --skip; images are spread evenly over the split, and --images N says how many; see ",
        ),
        (["certify", TARGET, "--max", "100"], "option --max; images are spread evenly over the split, and --images N "),
        (["train", TARGET, "--skip", "20"], "unknown option --skip; see python -m benchmark train --help"),
        (["certify", TARGET, "--batch", "400"], "unknown option --batch; the batch is chosen by itself and changes no"),
        (["certify", TARGET, "--batch_size", "400"], "; the batch is chosen by itself and changes no result; see "),
        (["certify", TARGET, "--outfile", "x"], "unknown option --outfile; did you mean --output?; see "),
        (["certify", TARGET, "--sigma", "0.5"], "unknown option --sigma; σ belongs to the target, and is given where"),
        (["certify", TARGET, "--eps", "0.5"], "unknown option --eps; see python -m benchmark certify --help"),
        (["run", "--all", "--eps", "0.5"], "unknown option --eps; did you mean --epsilons?; see "),
        (["run", "--all", "--n-examples", "10"], "unknown option --n-examples; did you mean --images?; see "),
        (["run", "--all", "--n_ex", "10"], "unknown option --n_ex; did you mean --images?; see "),
        (["run", "--all", "--norm", "L2"], "unknown option --norm; budgets are ℓ2, in [0, 1] pixel units; see "),
        (["run", "--all", "--n_queries", "10"], "unknown option --n_queries; did you mean --query-budgets?; see "),
        (["run", "--all", "--attack", "cw"], "unknown option --attack; did you mean --attacks?; see "),
        (["run", "--all", "--sampels", "9"], "unknown option --sampels; did you mean --samples?; see "),
        (["run", "--all", "--epsilion", "9"], "unknown option --epsilion; did you mean --epsilons?; see "),
        (["run", "--all", "--split", "test"], "unknown option --split; images are those of the target's evaluation"),
        (["run", "--all", "--lr", "1"], "unknown option --lr; see python -m benchmark run --help"),
        (["train", TARGET, "--zzz"], "unknown option --zzz; see python -m benchmark train --help"),
    ],
)
def test_a_misspelt_option_is_one_line_with_a_hint(words: list[str], hint: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        command(*words)
    assert stop.value.code == 2
    assert hint in error_line(capsys.readouterr().err)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        command("--version")
    assert caught.value.code == 0
    assert re.fullmatch(r"abstention-bench \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_plugins_add_up():
    chosen = parser().parse_args(["run", "--plugin", "a.py", "b.py", "--all", "--plugin", "c.toml"])
    assert [str(path) for path in chosen.plugin] == ["a.py", "b.py", "c.toml"]
    assert parser().parse_args(["run", "--all"]).plugin == []
