"""``certify`` and ``predict``: the same rows whatever the groups and however often killed; nothing is mixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from benchmark_helpers import PATIENCE, ROOT, TARGET, command, environment, error_line, suite_file
from benchmark_helpers import run as run_suite
from torch import Tensor, nn

import benchmark.tables.sweep
import benchmark.tables.tsv
import targets
from targets import SmoothedClassifier
from targets.digits import split
from targets.models import SmallCNN

VERBS = ["certify", "predict"]
SMALL = ["--images", 25, "--samples", 200, "--device", "cpu", "--quiet"]


def rows(path: Path) -> pd.DataFrame:
    """A table as scripts read it, without the one column that differs from run to run."""
    return pd.read_csv(path, delimiter="\t").drop(columns="time")


@pytest.fixture(scope="module", params=VERBS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A verb, and the table of a run that nothing stopped."""
    path = tmp_path_factory.mktemp("answers") / "whole.tsv"
    assert command(request.param, TARGET, *SMALL, "--output", path) == 0
    return request.param, path


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


def put_unsealed(whole: Path, path: Path) -> None:
    """The JSON of a table beside another one, as of before its rows were sealed: a killed writer's, or an older one."""
    content = json.loads(whole.with_suffix(".json").read_bytes())
    del content["sealed"]
    path.with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--images", 24], "images 25 (not 24)"),
        (["--samples", 300], "n 200 (not 300)"),
        (["--alpha", 0.01], "alpha 0.001 (not 0.01)"),
        (["--seed", 1], "seed 0 (not 1)"),
    ],
)
def test_a_table_of_other_settings_is_refused_in_one_line_and_left_alone(
    finished: tuple[str, Path], change: list[object], words: str, capsys: pytest.CaptureFixture[str]
):
    verb, path = finished
    before = [file.read_bytes() for file in (path, path.with_suffix(".json"))]
    assert command(verb, TARGET, *SMALL, *change, "--output", path) == 2
    out, err = capsys.readouterr()
    assert f"{path} was made with {words}; give another --output, or delete it" in error_line(err)
    assert out == ""
    assert [file.read_bytes() for file in (path, path.with_suffix(".json"))] == before


def test_a_table_of_another_target_or_of_other_weights_is_refused(
    finished: tuple[str, Path], capsys: pytest.CaptureFixture[str]
):
    verb, path = finished
    assert command(verb, "digits-sigma0.25", *SMALL, "--output", path) == 2
    line = error_line(capsys.readouterr().err)
    assert all(words in line for words in ("other weights", f"target {TARGET} (not digits-sigma0.25)", "sigma 0.5"))

    seeds = iter((1, 1, 2))

    @targets.register("digits-mine", sigma=0.5, data="digits")
    def build() -> nn.Module:
        torch.manual_seed(next(seeds))
        return SmallCNN()

    mine = path.with_name("mine.tsv")
    for _ in range(2):
        assert command(verb, "digits-mine", *SMALL, "--output", mine) == 0
    capsys.readouterr()
    assert command(verb, "digits-mine", *SMALL, "--output", mine) == 2
    assert "other weights" in error_line(capsys.readouterr().err)


def test_the_other_verbs_table_is_refused(finished: tuple[str, Path], capsys: pytest.CaptureFixture[str]):
    verb, path = finished
    other = VERBS[1 - VERBS.index(verb)]
    assert command(other, TARGET, *SMALL, "--output", path) == 2
    assert "is not a table with columns" in error_line(capsys.readouterr().err)


def test_a_row_that_the_settings_do_not_hold_is_refused(
    finished: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    verb, whole = finished
    path = tmp_path / "t.tsv"
    path.write_text(whole.read_text(encoding="utf-8").replace("\n15\t", "\n16\t"), encoding="utf-8")
    put_unsealed(whole, path)
    assert command(verb, TARGET, *SMALL, "--output", path) == 2
    assert "holds image 16, which its settings do not" in error_line(capsys.readouterr().err)


def another_answer(text: str) -> str:
    """The first row says ABSTAIN, and nothing of the row is at odds with it."""
    header, first, *rest = text.splitlines()
    cells = dict(zip(header.split("\t"), first.split("\t"), strict=True))
    changed = {**cells, "predict": "-1", "correct": "0", **({"radius": "0.0"} if "radius" in cells else {})}
    return "\n".join([header, "\t".join(changed.values()), *rest, ""])


def another_label(text: str) -> str:
    """The first row's label is that of its answer's neighbour; the row is at odds with the data set alone."""
    header, first, *rest = text.splitlines()
    cells = dict(zip(header.split("\t"), first.split("\t"), strict=True))
    changed = {**cells, "label": str((int(cells["predict"]) + 1) % 10), "correct": "0"}
    return "\n".join([header, "\t".join(changed.values()), *rest, ""])


EDITS: dict[str, Callable[[str], str]] = {
    "another answer": another_answer,
    "another label": another_label,
    "a row deleted": lambda text: text.replace(text.splitlines()[3] + "\n", ""),
    "a row changed for another": lambda text: text.replace(text.splitlines()[3], text.splitlines()[4]),
    "all rows deleted": lambda text: text.splitlines()[0] + "\n",
}


@pytest.mark.parametrize("case", EDITS)
def test_a_table_that_was_edited_is_refused_in_one_line_and_left_alone(
    finished: tuple[str, Path], case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    verb, whole = finished
    path = tmp_path / "t.tsv"
    path.with_suffix(".json").write_bytes(whole.with_suffix(".json").read_bytes())
    path.write_text(EDITS[case](whole.read_text(encoding="utf-8")), encoding="utf-8")
    before = [file.read_bytes() for file in (path, path.with_suffix(".json"))]
    assert command(verb, TARGET, *SMALL, "--output", path) == 2
    out, err = capsys.readouterr()
    line = error_line(err)
    assert line.startswith(f"error: {path} was edited since it was written (it")
    assert line.endswith("); delete it and t.json to start again, or give another --output")
    assert out == ""
    assert [file.read_bytes() for file in (path, path.with_suffix(".json"))] == before


def test_a_label_that_is_not_the_data_sets_is_refused_whatever_the_seal_says(
    finished: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    verb, whole = finished
    path = tmp_path / "t.tsv"
    put_unsealed(whole, path)
    path.write_text(another_label(whole.read_text(encoding="utf-8")), encoding="utf-8")
    assert command(verb, TARGET, *SMALL, "--output", path) == 2
    true = int(split("evaluation").labels[0])
    assert f"for image 0, whose label is {true}); delete it and t.json" in error_line(capsys.readouterr().err)


def test_what_git_or_an_editor_does_to_line_ends_is_no_edit(finished: tuple[str, Path], tmp_path: Path):
    verb, whole = finished
    path = tmp_path / "t.tsv"
    path.with_suffix(".json").write_bytes(whole.with_suffix(".json").read_bytes())
    path.write_bytes(b"\xef\xbb\xbf" + whole.read_bytes().replace(b"\n", b"\r\n"))
    assert command(verb, TARGET, *SMALL, "--output", path) == 0
    assert path.read_bytes() == whole.read_bytes()


def test_the_settings_file_says_how_the_rows_were_made(finished: tuple[str, Path]):
    verb, path = finished
    content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    expected = {"verb": verb, "target": TARGET, "data": "digits", "sigma": 0.5, "images": 25, "n": 200, "alpha": 0.001}
    assert content["settings"].items() >= {**expected, "seed": 0}.items()
    assert content["settings"]["weights"] == targets.TARGETS[TARGET].sha256
    assert content["settings"].get("n0") == (100 if verb == "certify" else None)
    assert content["made_by"][0].keys() >= {"version", "commit", "device", "torch"}


def a_file(folder: Path) -> list[object]:
    (folder / "file").write_text("mine", encoding="utf-8")
    return ["--output", folder / "file" / "t.tsv"]


def a_folder(folder: Path) -> list[object]:
    (folder / "t.tsv").mkdir()
    return ["--output", folder / "t.tsv"]


BAD: dict[str, tuple[Callable[[Path], list[object]], str]] = {
    "images 0": (lambda _: ["--images", 0], "0 images asked for; give a number from 1 to 397"),
    "images": (lambda _: ["--images", 398], "398 images asked for; give a number from 1 to 397"),
    "alpha": (lambda _: ["--alpha", 2], "alpha is 2"),
    "n": (lambda _: ["--samples", 0], "at least 1 noise sample"),
    "suffix": (lambda _: ["--output", "cifar10-sigma0.50"], "give a file name that ends in .tsv"),
    "in a file": (a_file, "cannot write into"),
    "a folder": (a_folder, "cannot read"),
    "plugin": (lambda _: ["--plugin", "absent.py"], "there is no plugin file absent.py"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("verb", VERBS)
def test_bad_input_is_one_clear_line_and_nothing_is_written(
    case: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    make, words = BAD[case]
    arguments = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert command(verb, TARGET, "--quiet", *arguments) == 2
    out, err = capsys.readouterr()
    assert words in error_line(err)
    assert out == ""
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_target_is_one_line_with_a_hint(verb: str, capsys: pytest.CaptureFixture[str]):
    assert command(verb, "digits-sigma0.5") == 2
    assert (
        error_line(capsys.readouterr().err)
        == "error: unknown target 'digits-sigma0.5'; did you mean 'digits-sigma0.50'?"
    )


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


@pytest.mark.parametrize("verb", VERBS)
def test_a_second_writer_is_refused_in_one_line_that_names_the_first(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    table = tmp_path / "t.tsv"
    codes, ask = [], getattr(SmoothedClassifier, verb)

    def meanwhile(self: SmoothedClassifier, images: Tensor, *arguments: Any, **options: Any) -> Any:
        if len(images) and not codes:
            codes.append(command(verb, TARGET, *SMALL, "--output", table))
        return ask(self, images, *arguments, **options)

    monkeypatch.setattr(SmoothedClassifier, verb, meanwhile)
    assert command(verb, TARGET, *SMALL, "--output", table) == 0
    assert codes == [2]
    said = error_line(capsys.readouterr().err)
    assert f"{table} is being written by process {os.getpid()} on " in said
    assert rows(table)["idx"].tolist() == [i * 397 // 25 for i in range(25)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.json", "t.tsv"]  # and no lock


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
