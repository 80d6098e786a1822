from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from leaderboard_data import make_records, make_settings
from pyarrow import parquet

from leaderboard import Store, StoreError, rows
from leaderboard.audit import audit
from leaderboard.stored.archive import RECORDS, adopt, read
from leaderboard.stored.archive_writer import write_archive
from leaderboard.stored.cell import Request
from leaderboard.variants import counted_in, variants

OBSERVED = {"gradients": 9, "zero_gradients": 4}


def key_of(settings):
    """What the store's cells of these tests are called: by their attack and first image."""
    return f"{settings['attack']}-{settings['images'][0]}"


@pytest.fixture
def filled(store):
    """Two attacks on two shards, and a failure."""
    sent = {
        "l2": [0.5, np.nan, 1e-17],
        "validity": ["valid", "not-finite", "valid"],
        "changed": [True, False, True],
    }
    for attack in ("margin", "zoo"):
        for images in ([0, 2, 4], [1, 3, 5]):
            settings = make_settings(attack=attack, images=images)
            records = make_records(images, outcome=[-1, 2, 3], seconds=[0.1, 0.2, 1 / 3], **sent)
            pixels = np.full((3, 1, 2, 2), 0.25)
            store.write_cell(
                key_of(settings),
                settings,
                records,
                pixels,
                provenance={"commit": "abc"},
                seconds=1 / 7,
                observed=OBSERVED,
            )
    settings = make_settings(attack="zoo", images=[6, 7])
    store.write_failure(key_of(settings), settings, "Traceback\nOops: no", provenance={}, seconds=1.0)
    return store


def archive(store, cells):
    file = BytesIO()
    write_archive(file, store, cells, counted_in(variants(cells)))
    return file.getvalue()


@pytest.fixture
def file(filled, tmp_path):
    path = tmp_path / RECORDS
    path.write_bytes(archive(filled, filled.cells()))
    return path


@pytest.fixture
def other(tmp_path):
    return Store.open(tmp_path / "other")


def test_an_adopted_board_is_the_same_board(filled, file, other):
    assert adopt(other, read(file, key_of)) == 4
    ran = [cell for cell in filled.cells() if cell.status == "ok"]
    assert rows(other) == [{**row, "source": "adopted"} for row in rows(filled, [cell.key for cell in ran])]
    assert audit(other, other.cells()) == audit(filled, filled.cells())
    for cell in ran:
        pd.testing.assert_frame_equal(other.records(cell.key), filled.records(cell.key))
        adopted = other.cell(cell.key)
        assert adopted is not None
        assert not adopted.has_images
        assert (adopted.created, adopted.seconds, adopted.provenance) == (cell.created, cell.seconds, cell.provenance)
        assert adopted.observed == cell.observed == OBSERVED


def test_an_archive_of_cells_that_know_nothing_of_what_was_observed_opens(file):
    table = pd.read_parquet(file)
    texts = [{name: value for name, value in json.loads(text).items() if name != "observed"} for text in table.cell]
    old = parquet.read_table(file)
    column = pa.array([json.dumps(text) for text in texts])
    parquet.write_table(old.set_column(0, "cell", column).replace_schema_metadata(old.schema.metadata), file)
    assert [cell.observed for cell, _ in read(file, key_of)] == [{}] * 4


def test_pandas_reads_the_file(file):
    frame = pd.read_parquet(file)
    assert len(frame) == 12
    rates = frame.groupby(["target", "attack", "epsilon", "n", "query_budget"]).outcome.apply(
        lambda o: (o == -1).mean()
    )
    assert rates.to_dict() == {("toy-sigma0.50", name, 1.0, 1000, 0): 1 / 3 for name in ("margin", "zoo")}
    keys = [json.loads(text)["key"] for text in frame.cell]
    assert pd.Series(keys).value_counts().to_dict() == {"margin-0": 3, "margin-1": 3, "zoo-0": 3, "zoo-1": 3}


def test_the_same_cells_give_the_same_bytes_however_they_came(filled, file, other):
    adopt(other, read(file, key_of))
    ran = [cell for cell in filled.cells() if cell.status == "ok"]
    assert archive(other, other.cells()) == archive(filled, ran[::-1])


def test_the_records_say_in_which_rows_they_count(store, add, tmp_path):
    first, second = [0, 2, 4], [1, 3, 5]
    add({"outcome": -1}, images=first, version=0)  # replaced
    add({}, images=first, of=[3, 6])
    add({"outcome": -1}, images=second, of=[6])
    add({}, images=second, attack="cw", of=[6])
    asked, settings = [Request(images=6, options=[])], make_settings(attack="cw", images=first)
    store.write_failure("broken", settings, "Oops", provenance={}, seconds=1.0, asked=asked)
    (tmp_path / RECORDS).write_bytes(archive(store, store.cells()))
    frame = pd.read_parquet(tmp_path / RECORDS).explode("of_images")
    rates = frame.groupby(["attack", "of_images"]).outcome.apply(lambda outcome: (outcome == -1).mean()).to_dict()
    assert rates == {("margin", 3): 0.0, ("margin", 6): 0.5}
    board = {(row["attack"], row["of_images"]): row["abstention_rate"] for row in rows(store)}
    assert {place: rate for place, rate in board.items() if rate is not None} == rates


def test_an_archive_of_the_first_version_is_read(filled, file, other):
    table = parquet.read_table(file).drop_columns(["of_images"])
    old = {"asked", "digests"}
    texts = [json.dumps({k: v for k, v in json.loads(t).items() if k not in old}) for t in table["cell"].to_pylist()]
    table = table.set_column(0, "cell", [texts]).replace_schema_metadata({b"abstention-bench": b"1"})
    parquet.write_table(table, file)
    assert adopt(other, read(file, key_of)) == 4
    ran = [cell.key for cell in filled.cells() if cell.status == "ok"]
    assert rows(other) == [{**row, "source": "adopted"} for row in rows(filled, ran)]


def test_a_cell_that_no_run_wrote_is_refused(file, other):
    table = pd.read_parquet(file)
    table.loc[1, "outcome"] = -1
    parquet.write_table(parquet.read_table(file).set_column(13, "outcome", [table.outcome.to_numpy()]), file)
    with pytest.raises(StoreError, match="is none that a run wrote: image 2: the votes at what was sent give another"):
        read(file, key_of)


def test_what_a_store_holds_stays_and_a_failure_is_replaced(filled, file, tmp_path):
    (filled.folder / "cells" / "zoo-1.json").unlink()
    settings = make_settings(attack="zoo", images=[0, 2, 4])
    filled.write_failure("zoo-0", settings, "Oops: no", provenance={}, seconds=1.0)
    assert adopt(filled, read(file, key_of)) == 2
    assert filled.cell("zoo-0").status == "ok"
    assert filled.cell("margin-0").has_images
    assert filled.images("margin-0").shape == (3, 1, 2, 2)


def test_nothing_ran_gives_an_archive_of_nothing(store, other, tmp_path):
    (tmp_path / RECORDS).write_bytes(archive(store, []))
    assert adopt(other, read(tmp_path / RECORDS, key_of)) == 0


def test_cells_of_other_rules_or_edited_settings_are_refused(file):
    def changed(settings):
        return key_of(settings) + ("-2" if settings["attack"] == "zoo" else "")

    with pytest.raises(StoreError, match=r"2 of 4 cells were not computed by this version's rules, zoo-0 for one"):
        read(file, changed)


def test_records_that_are_not_those_of_the_cells_are_refused(file):
    parquet.write_table(parquet.read_table(file).slice(1), file)
    with pytest.raises(StoreError, match="the records are not those of its cells"):
        read(file, key_of)


def test_another_schema_version_is_refused(file):
    parquet.write_table(parquet.read_table(file).replace_schema_metadata({b"abstention-bench": b"9"}), file)
    with pytest.raises(StoreError, match="has schema version 9, this program reads 1 to 2"):
        read(file, key_of)


@pytest.mark.parametrize("damage", ["cut", "text", "foreign", "absent", "folder"])
def test_what_is_no_archive_is_refused_in_one_line(file, damage):
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "text":
        file.write_text("no")
    elif damage == "foreign":
        pd.DataFrame({"a": [1]}).to_parquet(file)
    else:
        file.unlink()
        if damage == "folder":
            file.mkdir()
    with pytest.raises(StoreError, match=r"published board") as error:
        read(file, key_of)
    assert "\n" not in str(error.value)


def test_an_adopted_cell_whose_records_are_lost_counts_as_not_run(file, other):
    adopt(other, read(file, key_of))
    (other.folder / "cells" / "zoo-0.parquet").unlink()
    assert other.cell("zoo-0") is None
