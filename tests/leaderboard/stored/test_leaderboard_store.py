from __future__ import annotations

import json
import os

import pytest
from leaderboard_data import write

from leaderboard import Store, StoreError


def refuses(opening, folder, message):
    with pytest.raises(StoreError, match=message) as error:
        opening(folder)
    assert "\n" not in str(error.value)


def test_open_makes_the_folder_and_opens_it_again(tmp_path):
    folder = tmp_path / "deep" / "results"
    Store.open(folder)
    write(Store.open(folder))
    assert Store.open(folder).cell("a") is not None
    assert json.loads((folder / "store.json").read_text()) == {
        "project": "abstention-bench",
        "schema_version": 2,
    }


def test_open_sweeps_the_remains_of_killed_writers(store):
    remains = store.folder / "cells" / ".a.json.4194999-01234567-89abcdef.tmp"
    remains.write_text("{")
    assert store.cells() == []
    Store.open(store.folder)
    assert not remains.exists()


@pytest.mark.parametrize("opening", [Store.open, Store.read])
def test_a_folder_that_is_not_ours_is_left_alone(tmp_path, opening):
    (tmp_path / "thesis.tex").touch()
    refuses(opening, tmp_path, "holds other files and no results of abstention-bench; choose another folder")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_hidden_files_do_not_make_a_folder_foreign(tmp_path):
    (tmp_path / ".gitkeep").touch()
    Store.open(tmp_path)


@pytest.mark.parametrize("opening", [Store.open, Store.read])
def test_a_file_in_place_of_the_folder(tmp_path, opening):
    (tmp_path / "results").touch()
    refuses(opening, tmp_path / "results", "is not a folder; choose another one")


def test_a_file_above_the_folder(tmp_path):
    (tmp_path / "results").touch()
    refuses(Store.open, tmp_path / "results" / "deep", "is not a folder; choose another one")


def test_a_folder_that_is_not_writable(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    refuses(Store.open, tmp_path / "results", "no permission to write; choose another one")


def test_read_says_to_run_first(tmp_path):
    refuses(Store.read, tmp_path / "none", "run `python -m benchmark run --all` first")
    refuses(Store.read, tmp_path, "run `python -m benchmark run --all` first")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_first_version_is_read_and_becomes_one_of_this(store):
    (store.folder / "store.json").write_text('{"project": "abstention-bench", "schema_version": 1}', encoding="utf-8")
    write(store, "a")
    assert Store.read(store.folder).cell("a") is not None
    assert '"schema_version": 1' in (store.folder / "store.json").read_text(encoding="utf-8")
    assert Store.open(store.folder).cell("a") is not None
    assert '"schema_version": 2' in (store.folder / "store.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("opening", [Store.open, Store.read])
@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ('{"project": "other", "schema_version": 1}', "belongs to 'other'"),
        (
            '{"project": "abstention-bench", "schema_version": 3}',
            "has schema version 3, this program reads 1 to 2",
        ),
        ("[1]", "store.json is not one of abstention-bench's"),
        ("{", "store.json is not one of abstention-bench's"),
    ],
)
def test_a_foreign_schema_is_refused(tmp_path, opening, mark, message):
    (tmp_path / "store.json").write_text(mark)
    refuses(opening, tmp_path, message)
