"""``verify``: what is whole passes; each kind of edit is found, and said in a line of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_helpers import as_before, command, define, error_line, run, suite_file
from pyarrow import parquet

from attacks import WhiteBox
from leaderboard.stored import digest, files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of three attacks, some re-evaluated, and a published board of it with what cells share."""
    folder = tmp_path_factory.mktemp("verify")
    with as_before():
        define("grey", WhiteBox, lambda model, images: images * 0.9 + 0.05)
        suite = suite_file(
            folder / "s.toml", attacks=["clean", "grey", "nes"], epsilons=[0.5, 1.0], query_budgets=[2, 3]
        )
        assert run(suite, folder / "r") == 0
        again = ("reevaluate", "--results", folder / "r", "--samples", 300, "--attacks", "grey", "--quiet")
        assert command(*again) == 0
        assert command("publish", "--results", folder / "r", "--output", folder / "p", "--shared") == 0
    return folder


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "r", tmp_path / "r"))


@pytest.fixture
def published(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "p", tmp_path / "p"))


def verified(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code, and the lines of broken clauses."""
    capsys.readouterr()
    code = command("verify", path)
    lines = capsys.readouterr().out.splitlines()
    broken = [line for line in lines if line.startswith("FAIL")]
    assert code == int(bool(broken))
    assert lines[-1].endswith("notes.")
    return code, broken


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def edit_column(path: Path, name: str, change: Callable[[list[Any]], list[Any]]) -> None:
    table = parquet.read_table(path)
    values = change(table[name].to_pylist())
    parquet.write_table(table.set_column(table.column_names.index(name), name, [values]), path)


def test_what_was_run_and_what_was_published_pass(made, capsys):
    assert verified(made / "r", capsys) == (0, [])
    assert command("verify", made / "p") == 0
    out = capsys.readouterr().out
    for clause in ("settings", "plausibility", "origins", "rows", "curves", "audit", "checks", "LEADERBOARD.md"):
        assert f"ok    {clause}:" in out
    for clause in ("board.svg", "curves-epsilon.svg", "curves-queries.svg", "re-evaluated", "shared", "targets"):
        assert f"ok    {clause}:" in out
    assert "ok    sources:            8 computed or adopted by who published it, 2 re-evaluated" in out
    assert "note  attacks:            cannot be traced: 4 cells of attacks not registered here: grey" in out
    assert command("verify", made / "p" / "records.parquet") == 0


def test_a_file_of_records_elsewhere_is_checked_alone(made, tmp_path, capsys):
    shutil.copy(made / "p" / "records.parquet", tmp_path / "records.parquet")
    assert verified(tmp_path, capsys) == (0, [])


def raise_rate(content: Any) -> None:
    content["rows"][0]["abstention_rate"] = 0.99


def drop_row(content: Any) -> None:
    content["rows"].pop()


def repeat_row(content: Any) -> None:
    content["rows"].append(content["rows"][0])


def invent_row(content: Any) -> None:
    content["rows"].append({**content["rows"][0], "attack": "invented"})


def move_curve(content: Any) -> None:
    content["curves"]["epsilon"][0]["curves"][0]["points"][1]["abstention_rate"] = 0.77


def change_audit(content: Any) -> None:
    content["audit"]["images"] += 1


@pytest.mark.parametrize(
    ("change", "clause", "text"),
    [
        (raise_rate, "rows", "abstention_rate is 0.99, the records give"),
        (drop_row, "rows", "is not in leaderboard.json"),
        (repeat_row, "rows", "a row is there twice"),
        (invent_row, "rows", "has no records"),
        (move_curve, "curves", "those against epsilon are not what the rows give"),
        (change_audit, "audit", "images is"),
    ],
)
@pytest.mark.parametrize("which", ["r", "p"])
def test_an_edited_json_is_found(made, tmp_path, capsys, change, clause, text, which):
    folder = Path(shutil.copytree(made / which, tmp_path / which))
    edit(folder / "leaderboard.json", change)
    _, broken = verified(folder, capsys)
    assert [line for line in broken if line.startswith(f"FAIL  {clause}:") and text in line]


def test_an_edited_page_and_picture_are_found(published, capsys):
    for name in ("LEADERBOARD.md", "board.svg", "curves-epsilon.svg"):
        path = published / name
        text = path.read_text(encoding="utf-8")
        edited = text.replace("clean 2", "clean 3").replace("clean 0", "clean 3").replace("| 0.0% |", "| 9.0% |")
        if name == "curves-epsilon.svg":
            edited = text.replace("n = 100,", "n = 900,")
        assert edited != text
        path.write_text(edited, encoding="utf-8")
        _, broken = verified(published, capsys)
        assert any(line.startswith(f"FAIL  {name}:") for line in broken), broken
        path.write_text(text, encoding="utf-8")


def test_a_picture_that_another_version_drew_is_a_note(published, capsys):
    path = published / "board.svg"
    path.write_text(path.read_text(encoding="utf-8").replace('rx="12"', 'rx="8"'), encoding="utf-8")
    assert command("verify", published) == 0
    assert "note  board.svg:          every number that it writes is the rows'" in capsys.readouterr().out


def test_edited_records_of_a_board_are_found(published, capsys):
    path = published / "records.parquet"
    edit_column(path, "outcome", lambda values: [-1, *values[1:]] if values[0] != -1 else [3, *values[1:]])
    _, broken = verified(published, capsys)
    assert len(broken) == 1
    assert "the votes at what was sent give another answer" in broken[0]


def test_records_that_could_be_but_are_not_those_of_the_rows_are_found(published, capsys):
    edit_column(published / "records.parquet", "ceiling", lambda values: [value / 2 for value in values])
    _, broken = verified(published, capsys)
    assert any(line.startswith("FAIL  rows:") and "ceiling" in line for line in broken)


def test_settings_that_are_not_those_of_the_key_are_found(published, capsys):
    def other(values: list[str]) -> list[str]:
        return [text.replace('"epsilon": 0.5', '"epsilon": 0.75') for text in values]

    edit_column(published / "records.parquet", "cell", other)
    _, broken = verified(published, capsys)
    assert "were not computed by this version's rules" in broken[0]


def test_a_damaged_cell_is_found(results, capsys):
    path = next((results / "cells").glob("*.npz"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    _, broken = verified(results, capsys)
    assert broken[0].startswith("FAIL  digests:")
    assert "its images are not those that were written with it" in broken[0]


def test_other_images_under_right_digests_are_found(results, capsys):
    for path in sorted((results / "cells").glob("*.npz")):
        content = json.loads(path.with_suffix(".json").read_bytes())
        if content["settings"]["attack"] == "grey":
            images = files.read_npz(path)["images"]
            path.write_bytes(files.to_npz({"images": np.clip(images * 0.5, 0, 1)}))
            sealed = digest.sealed(content, images=path.read_bytes())
            path.with_suffix(".json").write_bytes(files.to_json(sealed))
    _, broken = verified(results, capsys)
    assert [line for line in broken if line.startswith("FAIL  images:") and "have other norms" in line]


def test_a_re_evaluated_cell_of_other_images_is_found(results, capsys):
    for path in sorted((results / "cells").glob("*.json")):
        content = json.loads(path.read_bytes())
        if "landed_for" in content["settings"]:
            records = files.from_parquet(path.with_suffix(".parquet").read_bytes())
            data = files.to_parquet(records.assign(linf=records.linf / 2))
            path.with_suffix(".parquet").write_bytes(data)
            path.write_bytes(files.to_json(digest.sealed(content, records=data)))
    _, broken = verified(results, capsys)
    assert any(line.startswith("FAIL  origins:") for line in broken)


def test_damaged_shared_arrays_are_found(made, tmp_path, capsys):
    for which in ("r", "p"):
        folder = Path(shutil.copytree(made / which, tmp_path / which))
        path = next((folder / "shared").glob("*.npz"))
        path.write_bytes(b"nothing")
        _, broken = verified(folder, capsys)
        assert [line for line in broken if line.startswith("FAIL  shared:")]


def test_a_board_without_records_cannot_be_verified(published, capsys):
    (published / "records.parquet").unlink()
    code, broken = verified(published, capsys)
    assert code == 1
    assert "nothing says where the rows come from" in broken[0]


def test_a_json_that_is_none_is_found(published, capsys):
    for content in ("{", "[]", '{"rows": 3}', '{"rows": [{}]}'):
        (published / "leaderboard.json").write_text(content, encoding="utf-8")
        _, broken = verified(published, capsys)
        assert broken[0].startswith("FAIL  leaderboard.json:")


def test_what_is_no_board_is_one_line(tmp_path, capsys):
    assert command("verify", tmp_path) == 2
    assert "is no results folder and has no records.parquet" in error_line(capsys.readouterr().err)
