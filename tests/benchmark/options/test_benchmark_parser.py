"""The options: help without torch, and one line for what no verb knows."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from benchmark_helpers import ROOT, TARGET, command, environment, error_line

from benchmark.options import parser

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
