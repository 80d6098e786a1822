"""A whole run of the program in a process of its own, and its board published."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_forked import Forked
from benchmark_helpers import PATIENCE, ROOT, TARGET, board, command, environment, error_line, suite_file

from benchmark.commands.publish import run_command
from benchmark.options import parser
from benchmark.suite_file import load_suite
from leaderboard.machines import Asked

ROW_KEYS = {
    *("suite", "target", "sigma", "attack", "access", "epsilon", "n", "alpha", "images", "status", "ceiling"),
    *("abstention_rate", "abstention_low", "abstention_high", "clean_abstention_rate", "mcnemar_p"),
    *("accuracy", "clean_accuracy", "confident_wrong_rate", "valid_rate", "l2_mean", "l2_median", "l2_max"),
    *("queries_mean", "forward_samples_mean", "backward_samples_mean", "seconds_per_image"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder in which the program ran a small suite into the default results folder."""
    folder = tmp_path_factory.mktemp("cli")
    suite = suite_file(folder / "small.toml", epsilons=[0.5, 1.0])
    with contextlib.chdir(folder):
        run = Forked(tmp_path_factory.mktemp("said"), "run", "--suite", suite)
        out, err = run.communicate(PATIENCE)
    assert run.returncode is not None
    return folder, subprocess.CompletedProcess("run", run.returncode, out, err)


def test_a_whole_run_prints_the_board_and_where_it_lies(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
):
    folder, done = finished
    assert done.returncode == 0, done.stderr
    assert (
        "small · abstention in % [95% interval] at ε = 1.0 · n = 100, α = 0.001 · 4 images (other ε: 0.5)"
        in done.stdout
    )
    assert len(re.findall(r"^  clean +\d", done.stdout, re.MULTILINE)) == 1
    assert "4 cells run, 0 stored already, 0 failed." in done.stdout
    assert "Results: results. Page: results/index.html." in done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert re.fullmatch(
        rf"\[4/4\] {TARGET} × gaussian × ε 1: ok, abstention \d+\.\d% \(\d+\.\d s; 0 s left\)", lines[-1]
    )
    assert {row["attack"] for row in board(folder / "results")} == {"clean", "gaussian"}


def test_publish_loads_no_torch(finished: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path):
    code = "import sys; from benchmark.cli import main; print(main(sys.argv[1:]), 'torch' in sys.modules)"
    words = ["publish", "--results", finished[0] / "results", "--output", tmp_path / "board"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stdout.splitlines()[-1] == "0 False"


def test_publish_writes_a_page_json_and_a_picture_of_the_rows_that_run_printed(
    finished: tuple[Path, subprocess.CompletedProcess[str]], capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    folder, _ = finished
    output = tmp_path / "deep" / "published"
    assert command("publish", "--suite", "small", "--results", folder / "results", "--output", output) == 0
    names = ["LEADERBOARD.md", "leaderboard.json", "records.parquet", "board.svg", "standings.svg"]
    names += ["curves-epsilon.svg", "index.html"]
    assert capsys.readouterr().out.splitlines() == [str(output / name) for name in names]
    content = json.loads((output / "leaderboard.json").read_text(encoding="utf-8"))
    assert {"schema_version", "commit", "created", "rows"} <= content.keys()
    assert len(content["rows"]) == 4
    for row in content["rows"]:
        assert row.keys() >= ROW_KEYS
    assert content["rows"] == json.loads((folder / "results" / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    page = (output / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert all(word in page for word in [TARGET, "gaussian", "clean", content["commit"]])
    assert "`python -m benchmark run --suite small.toml`: 4 cells" in page
    assert (output / "board.svg").read_text(encoding="utf-8").startswith("<svg")
    assert command("publish", "--suite", "smal", "--results", folder / "results", "--output", tmp_path / "out") == 2
    assert error_line(capsys.readouterr().err) == "error: unknown suite 'smal'; did you mean 'small'?"
    assert not (tmp_path / "out").exists()


def test_publish_of_other_settings_keeps_both(
    finished: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = shutil.copytree(finished[0], tmp_path / "copy")  # the other tests' board stays as it is
    assert command(
        "run", "--suite", folder / "small.toml", "--results", folder / "results", "--samples", 120, "--quiet",
        "--attacks", "clean", "--epsilons", 0.5,
    ) == 0  # fmt: skip
    out, err = capsys.readouterr()
    assert "n = 120" in out
    assert "n = 100" not in out  # what was asked for is what is printed
    assert err == ""
    assert {row["n"] for row in board(folder / "results")} == {100, 120}


def test_publish_without_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("publish", "--results", tmp_path / "absent", "--output", tmp_path / "out") == 2
    line = error_line(capsys.readouterr().err)
    assert "no results in" in line
    assert "python -m benchmark run --all" in line
    assert not list(tmp_path.iterdir())


def test_without_output_no_published_board_is_written_over(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """The default is the results folder, and a published board is none, whatever verb takes it for one."""
    published = shutil.copytree(ROOT / "leaderboard" / "published" / "digits", tmp_path / "board")
    before = {path: path.read_bytes() for path in published.iterdir()}
    shutil.copytree(finished[0] / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    assert command("publish") == 0
    assert all(line.startswith("results/") for line in capsys.readouterr().out.splitlines())
    for words in (["publish"], ["publish", "--force"], ["publish", "--shared"], ["run", "--all"], ["adopt", "board"]):
        assert command(*words, "--results", "board") == 2
        assert "board holds other files and no results" in error_line(capsys.readouterr().err)
    assert {path: path.read_bytes() for path in published.iterdir()} == before


def test_publish_into_a_file(
    finished: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    assert command("publish", "--results", finished[0] / "results", "--output", tmp_path / "out") == 2
    assert "cannot write into" in error_line(capsys.readouterr().err)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, ""),
        ({"suite": "mine"}, None),
        ({"n": 10_000, "images": 20}, " --images 20 --samples 10000"),
        ({"alpha": 0.01, "seed": 3}, " --alpha 0.01 --seed 3"),
        ({"epsilons": [0.1, 2.0], "query_budgets": [7, 9]}, " --epsilons 0.1 2.0 --query-budgets 7 9"),
        ({"query_budgets": []}, ""),  # the attacks that were run have no budget
    ],
)
def test_the_page_names_the_command_with_what_it_asks_otherwise_than_its_suite(changes, options):
    suite = load_suite("digits")
    plain = Asked(
        suite="digits",
        n=suite.samples,
        alpha=suite.alpha,
        seed=suite.seed,
        images=suite.images,
        epsilons=list(suite.epsilons),
        query_budgets=list(suite.query_budgets),
        options=None,
    )
    text = run_command({**plain, **changes})
    assert text == "python -m benchmark run --suite " + ("mine.toml" if options is None else f"digits{options}")
    if options is not None:
        parser().parse_args(text.split()[3:])


@pytest.mark.parametrize("part", ["cells", "shared", "cells/board"])
def test_the_stores_own_folders_take_no_board(
    finished: tuple[Path, subprocess.CompletedProcess[str]], capsys: pytest.CaptureFixture[str], part: str
):
    results = finished[0] / "results"
    before = sorted(results.rglob("*"))
    assert command("publish", "--results", results, "--output", results / part) == 2
    assert "keeps its own files; choose another --output" in error_line(capsys.readouterr().err)
    assert sorted(results.rglob("*")) == before
