"""A table that is not the one asked for, or was edited, is refused in one line and left alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmark_helpers import TARGET, command, error_line
from tables_small import SMALL, VERBS, put_unsealed, rows
from torch import Tensor, nn

import targets
from targets import SmoothedClassifier
from targets.data.digits import split
from targets.models import SmallCNN


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
