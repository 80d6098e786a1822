"""``remove``: what was chosen goes, with what rests on it, and nothing else; by default nothing at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_helpers import TARGET, board, command, define, error_line, run, suite_file

from attacks import WhiteBox
from leaderboard import Store

Files = dict[str, bytes]


def files(folder: Path) -> Files:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def attacks(results: Path) -> list[str]:
    return sorted(cell.settings["attack"] for cell in Store.read(results).cells())


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two white-box attacks with their best-of and a control on four images, the control on two, a neighbour folder."""
    for name in ("left", "right"):
        define(name, WhiteBox, lambda model, originals: originals.clone())
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "left", "right"], best_of=True)
    assert run(suite, tmp_path / "r") == 0
    assert run(suite, tmp_path / "r", "--attacks", "clean", "--images", 2) == 0
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    return tmp_path / "r"


def test_without_yes_nothing_is_removed(results: Path, capsys: pytest.CaptureFixture[str]):
    before = files(results.parent)
    capsys.readouterr()
    assert command("remove", "--results", results, "--attacks", "left", "cle*") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"s · {TARGET}: 1 best-of white-box, 2 clean, 1 left",
        "4 cells, 1 of them best-of cells that rest on other removed cells.",
        f"Nothing is removed yet: --yes removes this from {results}.",
    ]
    assert files(results.parent) == before


def test_an_attack_goes_with_the_best_of_that_rests_on_it(results: Path):
    before = files(results.parent)
    assert command("remove", "--results", results, "--attacks", "left", "--yes") == 0
    assert attacks(results) == ["clean", "clean", "right"]
    after = files(results.parent)
    assert after.items() <= before.items()
    assert all(name.startswith("r/cells/") for name in before.keys() - after.keys())
    assert len(before) - len(after) == 2 * 3
    assert command("publish", "--results", results) == 0
    assert {row["attack"] for row in board(results)} == {"clean", "right"}


def test_a_trial_goes_by_its_number_of_images_and_what_others_need_stays(results: Path, tmp_path: Path):
    # Two of three images are a shard of the three, and the set of two.
    suite = suite_file(tmp_path / "t.toml", attacks=["clean"], images=4, shard=2)
    for count in (2, 4):
        assert run(suite, results, "--images", count) == 0
    assert {(row["suite"], row["of_images"]) for row in board(results)} == {("s", 4), ("s", 2), ("t", 2), ("t", 4)}
    assert command("remove", "--results", results, "--images", 2, "--yes") == 0
    assert command("publish", "--results", results) == 0
    rows = {(row["suite"], row["attack"], row["of_images"], row["status"]) for row in board(results)}
    assert ("t", "clean", 4, "ok") in rows
    assert {size for _, _, size, _ in rows} == {4}


def test_by_suite_and_target_together_and_what_only_they_share(results: Path, tmp_path: Path):
    other = suite_file(tmp_path / "t.toml", attacks=["clean"], targets=["digits-sigma1.00"])
    assert run(other, results) == 0
    store = Store.open(results)
    store.write_shared("of-another-verb", {"what": "answers", "target": "digits-sigma1.00"}, {})
    shared = len(list((results / "shared").iterdir()))
    choice = ("--results", results, "--suite", "t", "--targets", "digits-*")
    assert command("remove", *choice, "--shared", "--yes") == 0
    assert {cell.settings["suite"] for cell in Store.read(results).cells()} == {"s"}
    left = [json.loads(path.read_text())["settings"] for path in (results / "shared").glob("*.json")]
    assert 2 * len(left) < shared
    assert [settings["target"] for settings in left if settings["target"] != TARGET] == ["digits-sigma1.00"]


def test_damaged_cells(results: Path, capsys: pytest.CaptureFixture[str]):
    cell = next(cell for cell in Store.read(results).cells() if cell.settings["attack"] == "left")
    path = results / "cells" / f"{cell.key}.json"
    path.write_text(path.read_text().replace('"epsilon": 0.5', '"epsilon": 0.25'), encoding="utf-8")
    capsys.readouterr()
    assert command("remove", "--results", results, "--damaged", "--yes") == 0
    out = capsys.readouterr().out
    assert f"cell {cell.key} (left, suite s, target {TARGET}) is damaged" in out
    assert "1 cell." in out
    assert not path.exists()
    assert len(Store.read(results).cells()) == 4


PLUGINS = "A name that a plugin registers needs --plugin FILE"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say what to remove: --suite, --targets, --attacks, --images or --damaged"),
        (
            ["--attacks", "lefd"],
            "unknown attack 'lefd'; did you mean 'left'? " + PLUGINS,
        ),
        (["--images", 3, "--yes"], "no rows are of 3 images; there are rows of 2, 4"),
    ],
)
def test_what_says_nothing_or_fits_nothing_is_one_line(
    results: Path, options: list[object], message: str, capsys: pytest.CaptureFixture[str]
):
    before = files(results)
    capsys.readouterr()
    assert command("remove", "--results", results, *options) == 2
    assert error_line(capsys.readouterr().err) == f"error: {message}"
    assert files(results) == before


def test_no_results_folder_is_touched_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "a.json").write_text("{}", encoding="utf-8")
    assert command("remove", "--results", tmp_path, "--suite", "s", "--yes") == 2
    assert "holds other files and no results" in error_line(capsys.readouterr().err)
    assert (tmp_path / "cells" / "a.json").exists()
