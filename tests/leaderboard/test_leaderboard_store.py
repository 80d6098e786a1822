from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from leaderboard_data import make_records, make_settings

from leaderboard import Store, StoreError

HERE = Path(__file__).parent


def write(store, key="a", images=3, **columns):
    records = make_records(range(images), **columns)
    pixels = np.random.default_rng(0).random((images, 1, 8, 8))
    store.write_cell(key, make_settings(), records, pixels, provenance={"torch": "2"}, seconds=1.5)
    return records, pixels


def refuses(opening, folder, message):
    with pytest.raises(StoreError, match=message) as error:
        opening(folder)
    assert "\n" not in str(error.value)


def test_a_cell_comes_back_as_it_went_in(store):
    records, pixels = write(store, l2=[0.0, np.nan, 1.0])
    cell = Store.read(store.folder).cell("a")
    assert (cell.key, cell.status, cell.error, cell.seconds) == ("a", "ok", None, 1.5)
    assert (cell.settings, cell.provenance) == (make_settings(), {"torch": "2"})
    assert cell.surrogate_queries == 0
    assert cell.created == "2024-01-01T00:00:00.000000+00:00"
    assert store.records("a").equals(records)
    assert store.images("a").dtype == np.float32
    np.testing.assert_array_equal(store.images("a"), pixels.astype(np.float32))


def test_what_was_observed_is_kept_and_cells_that_know_nothing_of_it_open(store):
    write(store)
    path = store.folder / "cells" / "a.json"
    old = json.loads(path.read_text(encoding="utf-8"))
    assert old.pop("observed") == {}
    del old["digests"]  # which cells of that time had not either
    path.write_text(json.dumps(old), encoding="utf-8")
    assert store.cell("a").observed == {}
    records, pixels = make_records(range(3)), np.zeros((3, 1, 8, 8))
    counts = {"gradients": 7, "zero_gradients": 2}
    settings = make_settings(images=[0, 1, 2])
    store.write_cell("b", settings, records, pixels, provenance={}, seconds=1.5, observed=counts)
    store.renew_cell(store.cell("b"), {"ceiling_samples": 5}, records)
    assert store.cell("b").observed == counts


@pytest.mark.parametrize("observed", [None, [3], "3", {"gradients": "3"}, {"gradients": 0.5}, {"gradients": None}])
def test_a_cell_whose_counts_are_none_counts_as_not_run(store, observed, caplog):
    write(store)
    path = store.folder / "cells" / "a.json"
    content = json.loads(path.read_text(encoding="utf-8")) | {"observed": observed}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert store.cell("a") is None
    assert "what was observed is no counts" in caplog.text


def test_images_need_not_be_finite(store):
    pixels = np.full((1, 1, 2, 2), np.nan)
    store.write_cell("a", make_settings(), make_records([0]), pixels, provenance={}, seconds=1)
    assert np.isnan(store.images("a")).all()


def test_a_failure_keeps_its_traceback_until_the_cell_runs(store):
    store.write_failure("a", make_settings(), "Traceback\nValueError: x", provenance={}, seconds=0.5)
    assert (store.cell("a").status, store.cell("a").error) == ("error", "Traceback\nValueError: x")
    write(store)
    assert store.cell("a").status == "ok"
    assert len(store.cells()) == 1


def test_cells_come_in_the_order_of_their_keys(store):
    for key in ("b", "digits-sigma0.50-c", "a"):
        write(store, key)
    (store.folder / "cells" / "not a key.json").write_text("{}")
    assert [cell.key for cell in store.cells()] == ["a", "b", "digits-sigma0.50-c"]
    assert store.cell("z") is None


def test_what_is_written_must_fit(store):
    with pytest.raises(ValueError, match="2 records but 3 images"):
        store.write_cell("a", {}, make_records([0, 1]), np.zeros((3, 1)), provenance={}, seconds=1)
    table = make_records([0]).drop(columns="l2")
    with pytest.raises(ValueError, match="missing columns"):
        store.write_cell("a", {}, table, np.zeros((1, 1)), provenance={}, seconds=1)
    with pytest.raises(ValueError, match="not a key"):
        write(store, "../a")
    assert store.cells() == []


def test_shared_arrays(store):
    assert store.shared("v") is None
    votes = {"counts": np.arange(6).reshape(2, 3), "p": np.array([0.5, 1.0])}
    store.write_shared("v", make_settings(), votes)
    again = store.shared("v")
    assert set(again) == {"counts", "p"}
    for name, array in votes.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].dtype == array.dtype


@pytest.mark.parametrize("suffix", ["json", "parquet", "npz"])
def test_a_damaged_cell_counts_as_not_run(store, caplog, suffix):
    write(store, "a")
    write(store, "b")
    file = store.folder / "cells" / f"a.{suffix}"
    if suffix == "npz":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-50])
    with caplog.at_level(logging.WARNING, "abstention_bench"):
        assert [cell.key for cell in store.cells()] == ["b"]
    assert "cell a (" in caplog.text
    assert ") is damaged and counts as not run: " in caplog.text
    write(store, "a")
    assert store.cell("a") is not None


def test_a_flipped_bit_in_the_records_is_seen(store):
    records, _ = write(store, "a", images=200, l2=np.random.default_rng(0).random(200))
    file = store.folder / "cells" / "a.parquet"
    data = bytearray(file.read_bytes())
    data[data.index(records.l2[100].tobytes())] ^= 1
    file.write_bytes(data)
    assert store.cell("a") is None


def test_damaged_shared_arrays_count_as_absent(store, caplog):
    store.write_shared("v", {}, {"counts": np.zeros(3)})
    (store.folder / "shared" / "v.npz").write_bytes(b"torn")
    assert store.shared("v") is None
    assert "shared arrays v are damaged" in caplog.text


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


def test_a_disk_that_fills_while_writing(store, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match="No space left on device"):
        write(store)
    assert store.cells() == []


WRITER = """
import sys, itertools
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[2])
from leaderboard_data import make_records, make_settings
from leaderboard import Store
store = Store.open(Path(sys.argv[1]))
for turn in itertools.count():
    if turn == 5:  # by now every import is done
        print("ready", flush=True)
    key = f"cell-{turn % 5}"
    if turn % 7 == 6:
        store.write_failure(key, make_settings(), "Error: x", provenance={}, seconds=1)
    else:
        records = make_records(range(200), queries=turn)
        store.write_cell(key, make_settings(), records, np.full((200, 64), turn), provenance={}, seconds=1)
"""


def test_a_writer_killed_at_any_instant_leaves_no_torn_cell(tmp_path, caplog):
    chance = random.Random(0)
    seen = 0
    for _ in range(4):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "results"), str(HERE)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HERE.parents[1]) as writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.02, 0.2))
            writer.send_signal(signal.SIGKILL)
        store = Store.open(tmp_path / "results")
        assert not list(store.folder.rglob("*.tmp"))
        for cell in store.cells():
            if cell.status == "ok":
                assert len(store.records(cell.key)) == 200
                assert store.images(cell.key).shape == (200, 64)
            seen += 1
    assert seen > 0
    assert "damaged" not in caplog.text
