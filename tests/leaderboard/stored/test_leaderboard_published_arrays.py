from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leaderboard import Store, StoreError
from leaderboard.stored.arrays import FOLDER
from leaderboard.stored.published_arrays import adopt, export, read

WHAT = [
    {"what": "answers", "target": "toy-sigma0.50"},
    {"what": "answers", "target": "other-sigma0.50", "data": "toy"},
    {"what": "surrogate", "data": "toy"},
    {"what": "votes", "target": "toy-sigma0.50"},
]


def key_of(settings):
    return "-".join(settings[name] for name in sorted(settings))


def wanted(key, settings):
    return settings["what"] != "votes" and key_of(settings) == key


@pytest.fixture
def shared(store, add, tmp_path):
    """The published folder of a board on one target, whose store knows more than is wanted of it."""
    add(target="toy-sigma0.50", data="toy")
    for number, settings in enumerate(WHAT):
        store.write_shared(key_of(settings), settings, {"array": np.array([number])})
    assert export(store, store.cells(), tmp_path / "board", wanted) == 2
    return tmp_path / "board"


@pytest.fixture
def other(tmp_path):
    return Store.open(tmp_path / "other")


def test_what_a_board_s_cells_share_travels_whole(shared, store, other):
    keys, others = read(shared, wanted)
    assert others == 0
    assert adopt(other, shared, keys) == 2
    for settings in (WHAT[0], WHAT[2]):
        key = key_of(settings)
        assert other.shared(key) == store.shared(key)
        assert (other.folder / "shared" / f"{key}.json").read_bytes() == (shared / FOLDER / f"{key}.json").read_bytes()
    assert other.shared(key_of(WHAT[1])) is None
    assert other.shared(key_of(WHAT[3])) is None
    assert adopt(other, shared, keys) == 0


def test_a_board_without_is_no_error(tmp_path):
    assert read(tmp_path / "nowhere", wanted) == ([], 0)


def test_what_is_not_wanted_is_left_and_counted(shared):
    path = shared / FOLDER / f"{key_of(WHAT[0])}.json"
    path.write_text(path.read_text().replace("toy-sigma0.50", "toy-sigma0.25"))
    assert read(shared, wanted) == ([key_of(WHAT[2])], 1)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"settings": 1}'])
def test_a_damaged_file_is_one_line(shared, content):
    path = next((shared / FOLDER).glob("*.json"))
    path.write_text(content)
    with pytest.raises(StoreError, match=f"{path.name} is damaged or none of ours; get it again"):
        read(shared, wanted)


def test_a_folder_in_place_of_a_file_is_one_line(shared):
    (shared / FOLDER / "folder.json").mkdir()
    with pytest.raises(StoreError, match=r"folder\.json is damaged"):
        read(shared, wanted)


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.parametrize("spoil", [Path.unlink, cut])
def test_arrays_that_are_missing_or_damaged_are_one_line(shared, spoil):
    path = next((shared / FOLDER).glob("*.npz"))
    spoil(path)
    with pytest.raises(StoreError, match=f"{path.name} is damaged or missing; get it again"):
        read(shared, wanted)


def test_files_that_exchanged_their_names_are_one_line(shared, store, other):
    keys, _ = read(shared, wanted)
    adopt(other, shared, keys)
    for suffix in ("json", "npz"):
        one, two = (shared / FOLDER / f"{key}.{suffix}" for key in keys)
        one.rename(shared / "aside")
        two.rename(one)
        (shared / "aside").rename(two)
    with pytest.raises(StoreError, match=r"is damaged or missing; get it again$"):
        read(shared, lambda key, settings: True)
    assert export(store, store.cells(), shared, wanted) == 2
    assert read(shared, wanted)[0] == keys


@pytest.mark.parametrize("spoil", [Path.unlink, cut])
def test_damaged_arrays_are_replaced_on_either_side_and_never_published(shared, store, other, spoil, caplog):
    keys, _ = read(shared, wanted)
    adopt(other, shared, keys)
    spoil(other.folder / "shared" / f"{keys[0]}.npz")
    assert adopt(other, shared, keys) == 1
    assert other.shared(keys[0]) == store.shared(keys[0])
    assert not caplog.records

    spoil(shared / FOLDER / f"{keys[0]}.npz")
    assert export(store, store.cells(), shared, wanted) == 1
    assert read(shared, wanted) == (keys, 0)

    assert not caplog.records
    spoil(store.folder / "shared" / f"{keys[0]}.npz")
    assert export(store, store.cells(), shared.parent / "new", wanted) == 1
    assert f"shared arrays {keys[0]} are damaged" in caplog.text


def test_a_folder_that_cannot_be_made_is_one_line(store, add, tmp_path):
    add()
    (tmp_path / "board").write_text("a file")
    with pytest.raises(StoreError, match="choose another folder"):
        export(store, store.cells(), tmp_path / "board", wanted)
