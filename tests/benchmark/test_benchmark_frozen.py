"""What was stored before today is held: nothing of it is run, sampled or trained again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from benchmark_helpers import by_attack, command, error_line, run

from benchmark.key import settings_key
from benchmark.running.exported import is_exported
from leaderboard import Store
from leaderboard.stored.store import SCHEMA_VERSION

FROZEN = Path(__file__).parent / "frozen"
PLUGIN = ("--plugin", FROZEN / "plugin.py")
KEYS = {
    "margin": "3bd813b4a953552994cc3780487155a8",
    "nes": "50a9ab5ef694d261f4898b93ee9572d2",
    "same-data-transfer": "45779886018d244275d68cd2d62f51de",
    "best-of transfer": "7876313bf069ecc7f78e4a8adfb95627",
    "frozen-grey": "30b3566b861b621294dc416d03767695",
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the frozen folder, in a world where nothing can be trained."""
    shutil.copytree(FROZEN / "store", tmp_path / "store")
    monkeypatch.setattr("attacks.surrogate.train", lambda *_, **__: pytest.fail("trained anew"))
    return tmp_path / "store"


def test_every_cell_is_held_under_its_key(
    store: Path, counted_votes: list[tuple[str, str, int]], capsys: pytest.CaptureFixture[str]
):
    files = {path.name for path in (store / "cells").iterdir()}
    assert run(FROZEN / "suite.toml", store, *PLUGIN) == 1
    assert "0 cells run, 7 stored already, 1 failed." in capsys.readouterr().out
    alone = ("--targets", "frozen-untrained", "--attacks", "frozen-grey")
    assert run(FROZEN / "suite.toml", store, *PLUGIN, *alone) == 0
    assert "0 cells run, 1 stored already, 0 failed." in capsys.readouterr().out
    # The failed cell is tried again in its own place, on the originals that it had.
    assert {path.name for path in (store / "cells").iterdir()} == files
    assert counted_votes == []


def test_some_keys_in_full(store: Path):
    cells = {cell.key: cell for cell in Store.read(store).cells() if cell.settings["target"] == "digits-sigma0.50"}
    assert {cells[key].settings["attack"] for key in KEYS.values()} == set(KEYS)
    assert all(cells[key].settings["attack"] == attack for attack, key in KEYS.items())


def test_records_and_images_open(store: Path):
    read = Store.read(store)
    cells = read.cells()
    assert [cell.status for cell in cells].count("ok") == 8
    for cell in cells:
        if cell.status == "ok":
            assert read.records(cell.key).image.tolist() == cell.settings["images"]
            assert read.images(cell.key).shape == (4, 1, 8, 8)
    assert "frozen as broken" in str(by_attack(store)["frozen-broken"].error)


def test_surrogates_answers_votes_and_evidence_are_found(
    store: Path, counted_votes: list[tuple[str, str, int]], capsys: pytest.CaptureFixture[str]
):
    shared = {path.stem: json.loads(path.read_bytes())["settings"] for path in (store / "shared").glob("*.json")}
    assert {settings["what"] for settings in shared.values()} == {
        *("answers", "evidence, version 2", "originals", "surrogate", "surrogate of the same data", "votes")
    }
    assert all(is_exported(key, settings) for key, settings in shared.items() if settings["what"] != "originals")
    # Without its cells, and without what was made of votes and evidence, all is put together again.
    for path in (store / "cells").iterdir():
        path.unlink()
    for key, settings in shared.items():
        if settings["what"] == "originals":
            (store / "shared" / f"{key}.json").unlink()
    before = {path.name for path in (store / "shared").iterdir()}
    counted_votes.clear()
    assert run(FROZEN / "suite.toml", store, "--attacks", "margin-transfer", "same-data-transfer") == 0
    assert "3 cells run, 0 stored already, 0 failed." in capsys.readouterr().out
    assert {purpose for _, purpose, _ in counted_votes} == {"evaluation", "best-of"}
    # Ceilings are proven in another way since, so the columns at the originals have another key; their votes have not.
    made = {path.name for path in (store / "shared").glob("*.json")} - before
    assert {json.loads((store / "shared" / name).read_bytes())["settings"]["what"] for name in made} <= {"originals"}


def test_a_table_is_gone_on_with(store: Path, counted_votes: list[tuple[str, str, int]]):
    table = store / "frozen.certify.tsv"
    held = table.read_bytes()
    given = ("--images", 4, "--n0", 10, "--samples", 100, "--device", "cpu", "--quiet", "--output", table)
    assert command("certify", "digits-sigma0.50", *given) == 0
    assert table.read_bytes() == held
    assert sum(images for _, _, images in counted_votes) == 0


def test_a_board_of_it_can_be_published_and_adopted(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("publish", "--results", store, "--output", tmp_path / "board", "--shared") == 0
    assert "8 new in" in capsys.readouterr().out
    assert command("adopt", tmp_path / "board", "--results", tmp_path / "r") == 0
    assert "8 cells adopted, 0 stored already." in capsys.readouterr().out


STORES = {1: "store", 2: "store2"}
"""By schema version, a results folder of it."""

BOARDS = [1, 2, 3, 4]
"""Schema versions of leaderboard.json. The first has no records."""


@pytest.mark.parametrize("version", STORES)
def test_a_results_folder_of_every_schema_is_read_as_it_is_and_becomes_one_of_today(version: int, tmp_path: Path):
    folder = Path(shutil.copytree(FROZEN / STORES[version], tmp_path / "r"))
    assert json.loads((folder / "store.json").read_bytes())["schema_version"] == version
    cells, damaged = Store.read(folder, settings_key).survey()
    assert damaged == []
    assert all(settings_key(cell.settings) == cell.key for cell in cells)
    assert [cell.settings["images"] for cell in cells if cell.status == "ok"] == [
        Store.read(folder).records(cell.key).image.tolist() for cell in cells if cell.status == "ok"
    ]
    assert json.loads((folder / "store.json").read_bytes())["schema_version"] == version
    assert len(Store.open(folder, settings_key).cells()) == len(cells)
    assert json.loads((folder / "store.json").read_bytes())["schema_version"] == SCHEMA_VERSION
    assert [cell.key for cell in Store.read(folder, settings_key).cells()] == [cell.key for cell in cells]


def test_the_second_folder_is_held_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = Path(shutil.copytree(FROZEN / "store2", tmp_path / "r"))
    assert run(FROZEN / "suite2.toml", folder) == 0
    assert "0 cells run, 3 stored already, 0 failed." in capsys.readouterr().out
    again = ("reevaluate", "--results", folder, "--attacks", "margin", "--samples", 200, "--device", "cpu", "--quiet")
    assert command(*again) == 0
    assert "0 cells scored again, 1 stored already" in capsys.readouterr().out
    assert command("verify", folder) == 0


@pytest.mark.parametrize("version", BOARDS)
def test_a_board_of_every_schema_is_shown_and_adopted(version: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = FROZEN / "boards" / str(version)
    assert json.loads((folder / "leaderboard.json").read_bytes())["schema_version"] == version
    assert command("publish", "--site", tmp_path / "site", folder) == 0
    assert (tmp_path / "site" / str(version) / "index.html").exists()
    if version == 1:
        assert command("adopt", folder, "--results", tmp_path / "r") == 2
        assert "No such file or directory" in error_line(capsys.readouterr().err)
        return
    assert command("adopt", folder, "--results", tmp_path / "r") == 0
    assert command("publish", "--results", tmp_path / "r") == 0
    rates = [
        {(row["attack"], row["epsilon"]): row["abstention_rate"] for row in json.loads(path.read_bytes())["rows"]}
        for path in (folder / "leaderboard.json", tmp_path / "r" / "leaderboard.json")
    ]
    assert rates[0] == rates[1]


def newer(path: Path, version: int) -> None:
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps(content | {"schema_version": version}), encoding="utf-8")


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from pyarrow import parquet

    results = Path(shutil.copytree(FROZEN / "store2", tmp_path / "r"))
    board = Path(shutil.copytree(FROZEN / "boards" / "4", tmp_path / "board"))
    newer(results / "store.json", 3)
    newer(board / "leaderboard.json", 5)
    for words in (["run", "--all"], ["publish"], ["show"], ["remove", "--damaged"], ["adopt", board]):
        assert command(*words, "--results", results) == 2
        line = error_line(capsys.readouterr().err)
        assert "has schema version 3, this program reads 1 to 2; choose another folder or the version of" in line
    assert command("publish", "--site", tmp_path / "site", board) == 2
    said = "has schema version 5, this program reads 1 to 4; use the version of abstention-bench that wrote it"
    assert said in error_line(capsys.readouterr().err)
    assert command("verify", board) == 1
    assert f"FAIL  leaderboard.json:   {board / 'leaderboard.json'} {said}" in capsys.readouterr().out
    records = board / "records.parquet"
    parquet.write_table(parquet.read_table(records).replace_schema_metadata({b"abstention-bench": b"3"}), records)
    assert command("adopt", board, "--results", tmp_path / "new") == 2
    assert "has schema version 3, this program reads 1 to 2; use the version of" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "new").exists()
