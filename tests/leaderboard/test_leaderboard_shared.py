from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leaderboard import Store, StoreError
from leaderboard.shared import FOLDER, adopt, export, read

WHAT = [
    {"what": "answers", "target": "toy-sigma0.50"},
    {"what": "answers", "target": "other-sigma0.50", "data": "toy"},
    {"what": "surrogate", "data": "toy"},
    {"what": "votes", "target": "toy-sigma0.50"},
]


def key_of(settings):
    return "-".join(settings[name] for name in sorted(settings))


@pytest.fixture
def shared(store, add, tmp_path):
    """The published folder of a board on one target, whose store knows more than is wanted of it."""
    add(target="toy-sigma0.50", data="toy")
    for number, settings in enumerate(WHAT):
        store.write_shared(key_of(settings), settings, {"array": np.array([number])})
    assert export(store, store.cells(), tmp_path / "board", lambda key, settings: settings["what"] != "votes") == 2
    return tmp_path / "board"


@pytest.fixture
def other(tmp_path):
    return Store.open(tmp_path / "other")


def test_what_a_board_s_cells_share_travels_whole(shared, store, other):
    assert adopt(other, shared, read(shared, key_of)) == 2
    for settings in (WHAT[0], WHAT[2]):
        key = key_of(settings)
        assert other.shared(key) == store.shared(key)
        assert (other.folder / "shared" / f"{key}.json").read_bytes() == (shared / FOLDER / f"{key}.json").read_bytes()
    assert other.shared(key_of(WHAT[1])) is None
    assert other.shared(key_of(WHAT[3])) is None
    assert adopt(other, shared, read(shared, key_of)) == 0


def test_a_board_without_is_no_error(other, tmp_path):
    assert adopt(other, tmp_path / "nowhere", read(tmp_path / "nowhere", key_of)) == 0


def test_settings_of_another_key_are_refused(shared):
    with pytest.raises(StoreError, match="not those of its key"):
        read(shared, lambda settings: "another")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"settings": 1}'])
def test_a_damaged_file_is_one_line(shared, content):
    next((shared / FOLDER).glob("*.json")).write_text(content)
    with pytest.raises(StoreError, match="damaged or none of ours"):
        read(shared, key_of)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-30])])
def test_arrays_that_are_missing_or_damaged_are_one_line(shared, spoil):
    spoil(next((shared / FOLDER).glob("*.npz")))
    with pytest.raises(StoreError, match="get the folder again"):
        read(shared, key_of)


def test_damaged_arrays_are_replaced(shared, store, other):
    entries = read(shared, key_of)
    adopt(other, shared, entries)
    key = next(iter(entries))
    (other.folder / "shared" / f"{key}.npz").write_bytes(b"PK")
    assert adopt(other, shared, entries) == 1
    assert other.shared(key) == store.shared(key)


def test_a_folder_that_cannot_be_made_is_one_line(store, add, tmp_path):
    add()
    (tmp_path / "board").write_text("a file")
    with pytest.raises(StoreError, match="choose another folder"):
        export(store, store.cells(), tmp_path / "board", lambda key, settings: True)
