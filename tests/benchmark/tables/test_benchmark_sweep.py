"""``certify`` and ``predict``: the same rows whatever the groups and however often killed; nothing is mixed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import PATIENCE, ROOT, TARGET, command, environment, suite_file
from benchmark_helpers import run as run_suite
from tables_small import SMALL, VERBS, put_unsealed, rows

import benchmark.tables.sweep
import benchmark.tables.tsv
import targets
from targets import SmoothedClassifier
from targets.data.digits import split


def test_the_images_are_spread_over_the_split_and_keep_their_index(finished: tuple[str, Path]):
    found = rows(finished[1])
    assert found["idx"].tolist() == [i * 397 // 25 for i in range(25)]
    assert found["label"].tolist() == split("evaluation").labels[found["idx"].tolist()].tolist()
    assert found["correct"].tolist() == (found["label"] == found["predict"]).astype(int).tolist()


@pytest.mark.parametrize("size", [1, 7, 25])
def test_an_answer_does_not_depend_on_the_group(
    finished: tuple[str, Path], size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(benchmark.tables.sweep, "GROUP", size)
    assert command(finished[0], TARGET, *SMALL, "--output", tmp_path / "t.tsv") == 0
    assert rows(tmp_path / "t.tsv").equals(rows(finished[1]))


def test_a_finished_table_is_not_computed_again(
    finished: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    verb, path = finished
    before = path.read_bytes()
    ask, asked = getattr(SmoothedClassifier, verb), []

    def counted(self, images, *arguments, **options):
        asked.append(len(images))
        return ask(self, images, *arguments, **options)

    monkeypatch.setattr(SmoothedClassifier, verb, counted)
    assert command(verb, TARGET, *SMALL, "--output", path) == 0
    assert sum(asked) == 0
    assert path.read_bytes() == before
    out, err = capsys.readouterr()
    assert "25 images" in out
    assert err == ""


@pytest.mark.parametrize("lost", [0, 1, 20, 400])
def test_half_a_line_of_a_killed_writer_is_dropped_and_computed_again(
    finished: tuple[str, Path], lost: int, tmp_path: Path
):
    verb, whole = finished
    path = tmp_path / "t.tsv"
    path.write_bytes(whole.read_bytes()[: len(whole.read_bytes()) - lost])
    put_unsealed(whole, path)
    kept = path.read_bytes().rpartition(b"\n")[0]
    assert command(verb, TARGET, *SMALL, "--output", path) == 0
    assert path.read_bytes().startswith(kept)
    assert rows(path).equals(rows(whole))


# Imports once, then lets child after child be killed in the middle of its work, which it is given the time for.
DRIVER = """
import os, random, signal, sys, time
import benchmark.commands.certify
from benchmark.cli import main
from targets import SmoothedClassifier

def slow(ask):
    def asked(self, images, *arguments, **options):
        time.sleep(0.06)
        return ask(self, images, *arguments, **options)
    return asked

SmoothedClassifier.certify = slow(SmoothedClassifier.certify)
benchmark.tables.sweep.GROUP = 2
rng, killed = random.Random(3), 0
for _ in range(6):
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main(sys.argv[1:]))
    time.sleep(rng.uniform(0, 0.4))
    os.kill(child, signal.SIGKILL)
    killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
print(killed, flush=True)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_killed_at_random_instants_and_run_to_the_end(tmp_path: Path):
    whole, path = tmp_path / "whole" / "t.tsv", tmp_path / "killed" / "t.tsv"
    assert command("certify", TARGET, *SMALL, "--output", whole) == 0
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, "certify", TARGET, *map(str, SMALL), "--output", str(path)],
        capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[0]) >= 3  # the kills hit a living run
    assert rows(path).equals(rows(whole))
    assert {file.name for file in path.parent.iterdir()} == {"t.json", "t.tsv"}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_finished_rows_and_says_how_to_go_on(
    finished: tuple[str, Path],
    number: signal.Signals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    verb, whole = finished
    path = tmp_path / "t.tsv"
    ask, asked = getattr(SmoothedClassifier, verb), []

    def interrupted(self, images, *arguments, **options):
        asked.append(len(images))
        if sum(asked) > 10:
            signal.raise_signal(number)
        return ask(self, images, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(SmoothedClassifier, verb, interrupted)
        assert command(verb, TARGET, *SMALL, "--output", path) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"stopped; finished rows are kept in {path}. Run the same command again to go on.\n"
    assert rows(path).equals(rows(whole)[:10])
    assert json.loads(path.with_suffix(".json").read_bytes())["sealed"]["rows"] == 10
    assert command(verb, TARGET, *SMALL, "--output", path) == 0
    assert rows(path).equals(rows(whole))


def test_the_settings_file_says_how_the_rows_were_made(finished: tuple[str, Path]):
    verb, path = finished
    content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    expected = {"verb": verb, "target": TARGET, "data": "digits", "sigma": 0.5, "images": 25, "n": 200, "alpha": 0.001}
    assert content["settings"].items() >= {**expected, "seed": 0}.items()
    assert content["settings"]["weights"] == targets.TARGETS[TARGET].sha256
    assert content["settings"].get("n0") == (100 if verb == "certify" else None)
    assert content["made_by"][0].keys() >= {"version", "commit", "device", "torch"}


def test_the_default_folder_is_one_that_run_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert command("predict", TARGET, *SMALL) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"results/{TARGET}.predict.tsv"
    assert run_suite(suite_file(tmp_path / "s.toml"), tmp_path / "results") == 0
    assert command("certify", TARGET, *SMALL) == 0
    names = {f"{TARGET}.{verb}.{suffix}" for verb in VERBS for suffix in ("tsv", "json")}
    assert {path.name for path in (tmp_path / "results").iterdir()} >= {"LEADERBOARD.md", *names}


def test_every_image_where_there_are_fewer_than_the_default(tmp_path: Path):
    path = tmp_path / "t.tsv"
    assert command("predict", TARGET, "--samples", 20, "--quiet", "--output", path) == 0
    assert rows(path)["idx"].tolist() == list(range(397))


def test_what_two_writers_left_before_is_put_in_order(finished: tuple[str, Path], tmp_path: Path):
    verb, whole = finished
    header, *lines = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    put_unsealed(whole, tmp_path / "t.tsv")
    (tmp_path / "t.tsv").write_text("".join([header, *lines[12:], *lines[:15]]), encoding="utf-8")
    assert command(verb, TARGET, *SMALL, "--output", tmp_path / "t.tsv") == 0
    assert (tmp_path / "t.tsv").read_bytes() == whole.read_bytes()


def test_images_that_are_added_late_stand_in_their_place(finished: tuple[str, Path], tmp_path: Path):
    verb, whole = finished
    header, *lines = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    put_unsealed(whole, tmp_path / "t.tsv")
    (tmp_path / "t.tsv").write_text("".join([header, *lines[20:]]), encoding="utf-8")
    assert command(verb, TARGET, *SMALL, "--output", tmp_path / "t.tsv") == 0
    assert rows(tmp_path / "t.tsv").equals(rows(whole))


def test_a_kill_after_the_seal_and_before_the_order_is_no_edit(
    finished: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    verb, whole = finished
    header, *lines = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    put_unsealed(whole, tmp_path / "t.tsv")
    (tmp_path / "t.tsv").write_text("".join([header, *lines[20:]]), encoding="utf-8")
    mend, calls = benchmark.tables.tsv.mend, []

    def killed(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return mend(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(benchmark.tables.tsv, "mend", killed)
        with pytest.raises(RuntimeError, match="killed"):
            command(verb, TARGET, *SMALL, "--output", tmp_path / "t.tsv")
    assert rows(tmp_path / "t.tsv")["idx"].iloc[0] == 20 * 397 // 25  # not in order
    assert json.loads((tmp_path / "t.json").read_bytes())["sealed"]["rows"] == 25
    assert command(verb, TARGET, *SMALL, "--output", tmp_path / "t.tsv") == 0
    assert rows(tmp_path / "t.tsv").equals(rows(whole))
