"""Rows of several image sets in one folder, and cells whose files were edited: on console, page and in the records."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from benchmark_helpers import ROOT, board, command, define, environment, error_line, run, suite_file

from attacks import NoAccess
from leaderboard import Store
from leaderboard.stored.archive import RECORDS


@pytest.fixture
def two_sets(tmp_path: Path) -> Path:
    """Two attacks on 16 images, then one of them on 24; what the second run said lies beside it."""
    suite = suite_file(tmp_path / "s.toml", images=16)
    define("lucky", NoAccess, lambda model, images: None)
    assert run(suite, tmp_path / "r", "--attacks", "clean", "lucky", "--samples", 12) == 0
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        assert run(suite, tmp_path / "r", "--attacks", "lucky", "--images", 24, "--samples", 12) == 0
    (tmp_path / "said").write_text(said.getvalue(), encoding="utf-8")
    return tmp_path / "r"


def test_rows_of_two_image_sets_stand_apart_on_console_and_page(two_sets: Path, tmp_path: Path):
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert (
        f"{two_sets} has rows of 16 images, too. They do not compare with these of 24 and stand in groups of their own"
        in said
    )
    assert said.count("lucky") == 1
    assert "· n = 12, α = 0.001 · 24 images\n" in said
    assert "16 images\n" not in said
    rate = next(row["abstention_rate"] for row in board(two_sets) if row["of_images"] == 24)
    assert re.search(rf"lucky +{100 * rate:.1f} ", said)
    found = {(row["attack"], row["images"], row["of_images"], row["status"]) for row in board(two_sets)}
    assert found == {("clean", 16, 16, "ok"), ("lucky", 16, 16, "ok"), ("lucky", 24, 24, "ok")}
    page = (two_sets / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "### s, ε = 0.5, n = 12, α = 0.001, 16 images" in page
    assert "### s, ε = 0.5, n = 12, α = 0.001, 24 images" in page


def test_the_rates_of_the_docs_are_the_board_s(two_sets: Path, tmp_path: Path):
    text = (ROOT / "docs" / "reading-a-board.md").read_text(encoding="utf-8")
    script = re.search(r"```python\n(# rates\.py\n.*?)```", text, re.DOTALL)
    assert script
    (tmp_path / "published").mkdir()
    (two_sets / RECORDS).rename(tmp_path / "published" / RECORDS)
    (tmp_path / "rates.py").write_text(script[1].replace("print(", "RATES = ("), encoding="utf-8")
    code = "import runpy; print(runpy.run_path('rates.py')['RATES'].to_json(orient='table', double_precision=15))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment(), timeout=120
    )
    assert done.returncode == 0, done.stderr
    rates = {(line["attack"], line["of_images"]): line["outcome"] for line in json.loads(done.stdout)["data"]}
    expected = {(row["attack"], row["of_images"]): row["abstention_rate"] for row in board(two_sets)}
    assert rates == {place: pytest.approx(rate) for place, rate in expected.items()}
    assert len(pd.read_parquet(tmp_path / "published" / RECORDS)) == 2 * 16 + 24


def test_the_page_names_the_command_of_each_run_with_what_it_chose(two_sets: Path):
    page = (two_sets / "LEADERBOARD.md").read_text(encoding="utf-8")
    start = "- `python -m benchmark run --suite s.toml --attacks"
    assert f"{start} clean lucky --samples 12`: 2 cells" in page
    assert f"{start} lucky --images 24 --samples 12`: 1 cells" in page


def test_a_run_of_all_speaks_for_what_it_holds(tmp_path: Path):
    suite = suite_file(tmp_path / "s.toml")
    plugin = tmp_path / "deep" / "plugin.py"
    plugin.parent.mkdir()
    lines = [
        "from attacks import Attack, NoAccess, register",
        '@register("mine")',
        "class Mine(Attack):",
        '    """Idle."""',
    ]
    lines += ["    access = NoAccess", "    def __call__(self, model, images, labels, epsilon, generator):"]
    plugin.write_text("\n".join([*lines, "        return images"]) + "\n", encoding="utf-8")
    assert run(suite, tmp_path / "r", "--attacks", "cl*") == 0
    assert run(suite, tmp_path / "r") == 0
    assert run(suite, tmp_path / "r", "--plugin", plugin, "--attacks", "mine") == 0
    page = (tmp_path / "r" / "LEADERBOARD.md").read_text(encoding="utf-8")
    commands = re.findall(r"- `python -m benchmark run (.*?)`: (\d) cells", page)
    assert commands == [
        ("--suite s.toml", "2"),
        ("--suite s.toml --plugin plugin.py --attacks mine", "1"),
    ]
    assert str(tmp_path) not in page


def edit(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace('"epsilon": 0.5', '"epsilon": 0.25'), encoding="utf-8")


def test_an_edited_cell_is_named_left_out_and_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    suite, results = suite_file(tmp_path / "s.toml"), tmp_path / "r"
    assert run(suite, results) == 0
    key = next(cell.key for cell in Store.read(results).cells() if cell.settings["attack"] == "gaussian")
    edit(results / "cells" / f"{key}.json")
    capsys.readouterr()
    assert command("publish", "--results", results) == 1
    err = capsys.readouterr().err
    assert "1 damaged cells are left out of the board" in err
    page = " ".join((results / "LEADERBOARD.md").read_text(encoding="utf-8").split())
    assert "**Left out: 1 cells whose files are not what a run wrote.**" in page
    assert f"cell {key} (gaussian, suite s, target digits-sigma0.50) is damaged" in page
    assert [row["attack"] for row in board(results)] == ["clean"]
    content = json.loads((results / "leaderboard.json").read_text(encoding="utf-8"))
    assert [cell["key"] for cell in content["damaged"]] == [key]
    assert run(suite, results) == 0
    out, err = capsys.readouterr()
    assert "1 cells run, 1 stored already, 0 failed." in out
    assert command("publish", "--results", results) == 0
    assert "Left out" not in (results / "LEADERBOARD.md").read_text(encoding="utf-8")


def published(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_publish_lies_beside_the_results_and_replaces_no_other_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    curves = suite_file(tmp_path / "c.toml", epsilons=[0.5, 1.0])
    plain = suite_file(tmp_path / "p.toml", attacks=["clean"])
    assert run(curves, tmp_path / "a") == 0
    assert run(plain, tmp_path / "b") == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "LEADERBOARD.md").unlink()
    assert command("publish", "--results", "a") == 0
    assert (tmp_path / "a" / "LEADERBOARD.md").exists()
    assert command("publish", "--results", "a", "--output", "out") == 0
    assert run(curves, tmp_path / "a", "--attacks", "gaussian", "--samples", 120) == 0
    assert command("publish", "--results", "a", "--output", "out") == 0  # the same board, grown
    before = published(tmp_path / "out")
    assert "curves-epsilon.svg" in before
    capsys.readouterr()
    for arguments in (["--results", "b"], ["--results", "a", "--suite", "c", "--output", "b"]):
        assert command("publish", "--output", "out", *arguments) == 2
        assert "--force replaces it, another --output leaves it" in error_line(capsys.readouterr().err)
    assert published(tmp_path / "out") == before
    assert command("publish", "--results", "b", "--output", "out", "--force") == 0
    assert "curves-epsilon.svg" not in published(tmp_path / "out")


@pytest.mark.parametrize("name", ["LEADERBOARD.md", "leaderboard.json", "curves-epsilon.svg", RECORDS])
def test_publish_leaves_files_that_are_no_board_s(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]):
    assert run(suite_file(tmp_path / "s.toml", epsilons=[0.5, 1.0], attacks=["clean"]), tmp_path / "r") == 0
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine", encoding="utf-8")
    (tmp_path / "out" / "curves-queries.svg").write_text("mine", encoding="utf-8")
    capsys.readouterr()
    assert command("publish", "--results", tmp_path / "r", "--output", tmp_path / "out") == 2
    assert "holds files of these names that are no board" in error_line(capsys.readouterr().err)
    assert command("publish", "--results", tmp_path / "r", "--output", tmp_path / "out", "--force") == 0
    assert (tmp_path / "out" / "curves-queries.svg").read_text(encoding="utf-8") == "mine"
