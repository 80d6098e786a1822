"""What stored images cost the sequential predictor: against the slow way, and where the cost is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_helpers import TARGET, command, define, error_line, run, suite_file

from attacks import WhiteBox
from benchmark.recheck.sequential import WHAT
from leaderboard import Store
from leaderboard.sequential import Cost
from leaderboard.stored.arrays import FOLDER
from leaderboard.stored.sequential import NAME, read
from targets import ABSTAIN, DATA, load
from targets.noise import BLOCK
from targets.stopping import PENDING, Sequential


def halfway(model: Any, images: Any) -> Any:
    """Every image moved towards grey, out of the budget for some of them."""
    return images + 0.1 * (0.5 - images)


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    define("halfway", WhiteBox, halfway)
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "halfway"], images=6, shard=4)
    assert run(suite, tmp_path / "r") == 0
    capsys.readouterr()
    return tmp_path / "r"


def again(folder: Path, *options: object) -> list[Cost]:
    """The costs on the board, once they are measured."""
    assert command("reevaluate", "--sequential", "--results", folder, "--device", "cpu", *options) == 0
    return costs_of(folder)


def costs_of(folder: Path) -> list[Cost]:
    found: list[Cost] = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8")).get("sequential", [])
    return found


def slowly(images: Any, indices: list[int], n: int) -> tuple[list[int], list[int]]:
    """The predictor as its definition reads: the votes so far, looked at again and again until it decides."""
    target, rule = load(TARGET, "cpu"), Sequential(n, 0.001)
    outcomes, drawn = [], []
    for row, index in enumerate(indices):
        for samples in range(BLOCK, n + 1, BLOCK):
            votes = target.votes(images[[row]], samples, purpose="evaluation", indices=[index])
            if (decision := int(rule(votes, votes.sum(1))[0])) != PENDING:
                break
        outcomes.append(decision)
        drawn.append(samples)
    return outcomes, drawn


def test_costs_are_those_of_the_slow_way_on_the_evaluation_s_noise(folder, capsys):
    by_attack = {cost["attack"]: cost for cost in again(folder, "--samples", 2000)}
    store = Store.read(folder)
    cells = [cell for cell in store.cells() if cell.settings["attack"] == "halfway"]
    indices = [index for cell in cells for index in cell.settings["images"]]
    originals = DATA["digits"].split("evaluation").images[indices]
    sent = halfway(None, originals)
    beyond = (sent - originals).flatten(1).norm(dim=1) > 0.5
    sent[beyond] = originals[beyond]
    for cost, images in ((by_attack["clean"], originals), (by_attack["halfway"], sent)):
        outcomes, drawn = slowly(images, indices, 2000)
        assert (cost["images"], cost["samples"]["mean"]) == (6, np.mean(drawn))
        assert cost["abstained"]["rate"] == np.mean(np.array(outcomes) == ABSTAIN)
        assert (cost["most"], cost["level"], cost["n"]) == (2000, 0.001, 100)
    assert by_attack["clean"]["times"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert by_attack["halfway"]["clean_samples"] == by_attack["clean"]["samples"]
    assert "halfway" in capsys.readouterr().out


def test_what_is_computed_is_stored_and_no_row_changes(folder, counted_votes):
    before = json.loads((folder / "leaderboard.json").read_bytes())
    first = again(folder, "--samples", 1000)
    assert counted_votes
    counted_votes.clear()
    assert again(folder, "--samples", 1000) == first
    assert [calls for calls in counted_votes if calls[1] == "evaluation"] == []
    after = json.loads((folder / "leaderboard.json").read_bytes())
    assert after.keys() - before.keys() == {"sequential"}
    assert {name for name in before if before[name] != after[name]} <= {"created"}
    kinds = [json.loads(path.read_text())["settings"]["what"] for path in (folder / FOLDER).glob("*.json")]
    assert kinds.count(WHAT) == 2 + 2  # of two shards the originals, which `clean` sends, and what "halfway" sent


def test_what_is_measured_later_joins_what_is_there(folder):
    again(folder, "--samples", 1000, "--attacks", "clean")
    found = again(folder, "--samples", 1000, "--attacks", "halfway")
    assert {cost["attack"] for cost in found} == {"clean", "halfway"}
    found = again(folder, "--samples", 2000, "--attacks", "clean")
    assert [(cost["attack"], cost["most"]) for cost in found if cost["attack"] == "clean"] == [
        ("clean", 1000),
        ("clean", 2000),
    ]


def test_rows_of_two_n_are_not_mixed(folder, capsys):
    suite = folder.parent / "s.toml"
    assert run(suite, folder, "--samples", 200) == 0
    capsys.readouterr()
    found = again(folder, "--samples", 1000)
    assert sorted((cost["attack"], cost["n"], cost["images"]) for cost in found) == [
        ("clean", 100, 6),
        ("clean", 200, 6),
        ("halfway", 100, 6),
        ("halfway", 200, 6),
    ]
    assert "landed for n" in capsys.readouterr().out


def test_a_published_board_has_the_costs_and_gives_them_to_who_adopts_it(folder, tmp_path, capsys):
    found = again(folder, "--samples", 1000)
    board = tmp_path / "board"
    assert command("publish", "--results", folder, "--output", board) == 0
    assert costs_of(board) == found
    for page in ("LEADERBOARD.md", "index.html"):
        assert "What an answer costs at the sequential predictor" in (board / page).read_text(encoding="utf-8")
    assert command("verify", board) == 0
    assert "4 costs" not in (out := capsys.readouterr().out)
    assert "2 costs at the sequential predictor, each number the same" in out
    assert command("adopt", board, "--results", tmp_path / "adopted") == 0
    assert "What 4 of them cost the sequential predictor is adopted, too." in capsys.readouterr().out
    assert command("publish", "--results", tmp_path / "adopted", "--output", tmp_path / "second") == 0
    assert costs_of(tmp_path / "second") == found
    assert (tmp_path / "second" / NAME).read_bytes() == (board / NAME).read_bytes()
    assert command("publish", "--site", tmp_path / "site", tmp_path / "second") == 0
    assert (tmp_path / "site" / "second" / NAME).is_file()


def test_costs_are_of_the_published_rows_only_and_go_with_them(folder, tmp_path):
    again(folder, "--samples", 1000)
    board = tmp_path / "board"
    assert command("publish", "--results", folder, "--output", board) == 0
    assert command("remove", "--results", folder, "--attacks", "halfway", "--yes") == 0
    assert command("publish", "--results", folder, "--output", board, "--force") == 0
    assert [cost["attack"] for cost in costs_of(board)] == ["clean"]
    assert {one.cell for one in read(board)} == {cell.key for cell in Store.read(folder).cells()}
    (folder / NAME).unlink()
    assert command("publish", "--results", folder, "--output", board) == 0
    assert "sequential" not in json.loads((board / "leaderboard.json").read_text(encoding="utf-8"))
    assert not (board / NAME).exists()


def test_a_damaged_file_is_one_line_and_a_run_writes_its_board_without_it(folder, tmp_path, capsys, caplog):
    again(folder, "--samples", 1000)
    board = tmp_path / "board"
    assert command("publish", "--results", folder, "--output", board) == 0
    text = (folder / NAME).read_text(encoding="utf-8")
    (folder / NAME).write_text(text.replace('"drawn":[', '"drawn":[9,', 1), encoding="utf-8")
    (board / NAME).write_bytes((folder / NAME).read_bytes())
    capsys.readouterr()
    for verb in (["publish"], ["reevaluate", "--sequential"]):
        assert command(*verb, "--results", folder) == 2
        assert "sequential.json is none that" in error_line(capsys.readouterr().err)
    assert command("adopt", board, "--results", tmp_path / "adopted") == 2
    assert "were edited" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "adopted").exists()
    assert command("verify", board) == 1
    assert run(folder.parent / "s.toml", folder) == 0
    assert "The board is without what it held" in caplog.text
    assert costs_of(folder) == []
    assert (folder / NAME).is_file()  # nobody's measurements are thrown away


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--samples", 100, 200], "one --samples"),
        (["--seed", 1], "no --seed"),
        (["--samples", 3], "always abstain"),
        (["--attacks", "halfwy"], "halfway"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, options, reason):
    assert command("reevaluate", "--sequential", "--results", folder, "--device", "cpu", *options) == 2
    assert reason in error_line(capsys.readouterr().err)
