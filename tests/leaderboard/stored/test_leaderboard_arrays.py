from __future__ import annotations

import shutil

import numpy as np
from leaderboard_data import make_settings


def test_shared_arrays(store):
    assert store.shared("v") is None
    votes = {"counts": np.arange(6).reshape(2, 3), "p": np.array([0.5, 1.0])}
    store.write_shared("v", make_settings(), votes)
    again = store.shared("v")
    assert set(again) == {"counts", "p"}
    for name, array in votes.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].dtype == array.dtype


def test_damaged_shared_arrays_count_as_absent(store, caplog):
    store.write_shared("v", {}, {"counts": np.zeros(3)})
    (store.folder / "shared" / "v.npz").write_bytes(b"torn")
    assert store.shared("v") is None
    assert "shared arrays v are damaged" in caplog.text


def test_shared_arrays_that_were_exchanged_are_made_again(store, caplog):
    for key in ("v", "w"):
        store.write_shared(key, {}, {"counts": np.full(3, ord(key))})
    shutil.copy(store.folder / "shared" / "w.npz", store.folder / "shared" / "v.npz")
    assert store.shared("v") is None
    assert "shared arrays v are damaged and are made again: Changed: its arrays are not those" in caplog.text


def test_shared_arrays_are_believed_under_their_own_key_only(store, caplog):
    """Whole as both files are."""
    store.write_shared("w", {}, {"counts": np.zeros(3)})
    for suffix in ("json", "npz"):
        shutil.copy(store.folder / "shared" / f"w.{suffix}", store.folder / "shared" / f"v.{suffix}")
    assert store.shared("v") is None
    assert "shared arrays v are damaged and are made again: Changed: it is the JSON of w" in caplog.text
    assert store.shared("w") is not None
