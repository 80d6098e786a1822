from __future__ import annotations

import json
import logging
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from leaderboard_data import make_records, make_settings, write

from leaderboard import Store, StoreError
from leaderboard.stored.cell import Request

HERE = Path(__file__).parents[1]


def test_a_cell_comes_back_as_it_went_in(store):
    records, pixels = write(store, l2=[0.0, np.nan, 1.0])
    cell = Store.read(store.folder).cell("a")
    assert (cell.key, cell.status, cell.error, cell.seconds) == ("a", "ok", None, 1.5)
    assert (cell.settings, cell.provenance) == (make_settings(images=[0, 1, 2]), {"torch": "2"})
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
    del content["digests"]  # by which it would be known for edited before its counts are looked at
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


def rewrite(path, change):
    """A JSON file, edited."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def edited(store, **columns):
    """Cell a's records with other columns, as pandas writes them."""
    frame = store.records("a")
    return frame.assign(**columns) if columns else frame.iloc[:-1]


SPOILT = {
    "records of another cell": lambda cells, store: shutil.copy(cells / "b.parquet", cells / "a.parquet"),
    "an outcome edited": lambda cells, store: edited(store, outcome=-1).to_parquet(cells / "a.parquet"),
    "records deleted": lambda cells, store: edited(store).to_parquet(cells / "a.parquet"),
    "a norm over ε that is valid": lambda cells, store: edited(store, l2=50.0, changed=True).to_parquet(
        cells / "a.parquet"
    ),
    "ε edited": lambda cells, store: rewrite(cells / "a.json", lambda c: c["settings"].update(epsilon=0.25)),
    "α edited": lambda cells, store: rewrite(cells / "a.json", lambda c: c["settings"].update(alpha=0.5)),
    "a setting missing": lambda cells, store: rewrite(cells / "a.json", lambda c: c["settings"].pop("sigma")),
    "no number": lambda cells, store: rewrite(cells / "a.json", lambda c: c["settings"].update(epsilon=math.nan)),
    "text for a number": lambda cells, store: rewrite(cells / "a.json", lambda c: c["settings"].update(n="many")),
    "images cut": lambda cells, store: (cells / "a.npz").write_bytes((cells / "a.npz").read_bytes()[:-40]),
    "images of another cell": lambda cells, store: shutil.copy(cells / "b.npz", cells / "a.npz"),
    "another cell's JSON": lambda cells, store: shutil.copy(cells / "b.json", cells / "a.json"),
    "no JSON object": lambda cells, store: (cells / "a.json").write_text("[1]", encoding="utf-8"),
}


UNSEEN = {"images of another cell", "records of another cell"}
"""What only digests tell: the other cell is of the same images, and a run has written it."""


def key_of(settings):
    """The key that a cell of these tests has where its settings are those it was written with."""
    return settings["attack"] if (settings["epsilon"], settings["alpha"]) == (1.0, 0.001) else "another"


@pytest.fixture(params=["as it is", "of a version without digests"])
def two(request, store):
    """Cells a and b of different attacks, with what a run writes in them."""
    for key, images in (("a", 3), ("b", 3)):
        write(store, key, images, outcome=[3, 4, 5] if key == "b" else [0, 1, 2])
        settings = make_settings(attack=key, images=list(range(images)))
        pixels = np.random.default_rng(ord(key)).random((images, 1, 8, 8))
        store.write_cell(key, settings, store.records(key), pixels, provenance={}, seconds=1.5)
        if request.param != "as it is":
            path = store.folder / "cells" / f"{key}.json"
            rewrite(path, lambda content: [content.pop(name) for name in ("digests", "asked")])
    return store, request.param == "as it is"


@pytest.mark.parametrize("what", SPOILT)
def test_what_was_not_written_so_is_named_and_counts_as_not_run(two, what):
    store, has_digests = two
    if not has_digests and what in UNSEEN:
        pytest.skip("nothing tells")
    assert [cell.key for cell in Store.read(store.folder, key_of).cells()] == ["a", "b"]
    SPOILT[what](store.folder / "cells", store)
    cells, damaged = Store.read(store.folder, key_of).survey()
    assert [cell.key for cell in cells] == ["b"]
    [damage] = damaged
    if "JSON" not in what:
        assert (damage.key, damage.suite, damage.target, damage.attack) == ("a", "toy", "toy-sigma0.50", "a")
    assert damage.reason
    assert "\n" not in str(damage)
    write(store, "a")
    assert [cell.key for cell in Store.read(store.folder).cells()] == ["a", "b"]


def test_a_damage_is_said_once(store, caplog):
    write(store, "a")
    rewrite(store.folder / "cells" / "a.json", lambda content: content["settings"].update(epsilon=0.25))
    with caplog.at_level(logging.WARNING, "abstention_bench"):
        for _ in range(3):
            assert store.cells() == []
    line = "cell a (margin, suite toy, target toy-sigma0.50) is damaged and counts as not run: "
    assert caplog.messages == [f"{line}Changed: its settings were edited"]


@pytest.mark.parametrize("step", range(3))
def test_a_cell_whose_renewal_is_killed_is_the_old_one_or_the_new_one(store, monkeypatch, step):
    records, _ = write(store, "a")
    cell, calls, replace = store.cell("a"), [], os.replace

    def killed(*arguments):
        if len(calls) == step:
            raise KeyboardInterrupt
        calls.append(arguments)
        replace(*arguments)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        store.renew_cell(cell, {"ceiling_samples": 40_000}, records.assign(ceiling=0.25))
    monkeypatch.undo()
    again = Store.read(store.folder)
    renewed = again.cell("a").settings.get("ceiling_samples") == 40_000
    assert renewed == (step == 2)
    assert set(again.records("a").ceiling) == {0.25 if renewed else 0.5}
    store.renew_cell(store.cell("a"), {"ceiling_samples": 80_000}, records.assign(ceiling=0.125))
    assert set(Store.read(store.folder).records("a").ceiling) == {0.125}
    assert Store.read(store.folder).images("a").shape == (3, 1, 8, 8)
    assert sorted(path.name for path in (store.folder / "cells").iterdir()) == ["a.json", "a.npz", "a.parquet"]


def test_requests_are_kept_in_their_order_and_once(store):
    write(store, "a")
    first, second = Request(images=3, options=["--images", "3"]), Request(images=9, options=[])
    for request in (first, second, first):
        assert store.ask(store.cell("a"), request) == store.cell("a")
    assert Store.read(store.folder).cell("a").asked == [first, second]
    store.forget(store.cell("a"), 3)
    assert Store.read(store.folder).cell("a").asked == [second]


def test_a_cell_of_a_version_without_digests_gets_them_when_it_is_asked_for(store):
    write(store, "a")
    path = store.folder / "cells" / "a.json"
    rewrite(path, lambda content: [content.pop(name) for name in ("digests", "asked")])
    assert Store.read(store.folder).cell("a").digests == {}
    store.ask(store.cell("a"), Request(images=3, options=[]))
    assert {"records", "images", "settings"} < Store.read(store.folder).cell("a").digests.keys()


def test_a_removed_cell_leaves_nothing(store):
    write(store, "a")
    write(store, "b")
    store.remove("a")
    assert [cell.key for cell in store.cells()] == ["b"]
    assert {path.stem for path in (store.folder / "cells").iterdir()} == {"b"}
    with pytest.raises(ValueError, match="not a key"):
        store.remove("../b")
