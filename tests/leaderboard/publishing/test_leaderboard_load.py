"""Publishing many cells: in memory that does not grow with their records, and to the same board."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from pyarrow.parquet import ParquetFile

from leaderboard.publishing.publish import publish
from leaderboard.stored import archive_writer
from leaderboard.stored.archive import RECORDS, keys, read

PEAK = """
import resource, sys
from pathlib import Path
from leaderboard import Store, publish
from leaderboard.stored import archive_writer
archive_writer.GROUP = 10_000
publish(Store.read(Path(sys.argv[1])), Path(sys.argv[2]), commit="c", version="1", created="2024", command=str)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no getrusage")
def test_memory_does_not_grow_with_the_records(store, add, tmp_path):
    images = list(range(1000))

    def peak(cells):
        for number in range(len(store.cells()), cells):
            add({}, images=images, of=[1000], epsilon=0.01 * (number + 1))
        command = [sys.executable, "-c", PEAK, str(store.folder), str(tmp_path / str(cells))]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert peak(100) < 1.1 * peak(25)


def publish_to(store, folder):
    options = {"commit": "c", "version": "1", "created": "2024-01-01T00:00:00+00:00", "command": str}
    publish(store, folder, **options)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_row_groups_change_nothing_but_the_file_of_records(store, add, fail, tmp_path, monkeypatch):
    for number in range(7):
        add({}, images=[0, 1, 2], of=[3, 5], attack=f"a{number}")
        add({}, images=[3, 4], of=[5], attack=f"a{number}")
    fail(attack="broken")
    whole = publish_to(store, tmp_path / "whole")
    monkeypatch.setattr(archive_writer, "GROUP", 7)
    parts = publish_to(store, tmp_path / "parts")
    assert {name for name in whole if whole[name] != parts[name]} == {RECORDS}
    first, second = tmp_path / "whole" / RECORDS, tmp_path / "parts" / RECORDS
    assert (ParquetFile(first).num_row_groups, ParquetFile(second).num_row_groups) == (1, 7)
    pd.testing.assert_frame_equal(pd.read_parquet(first), pd.read_parquet(second))
    assert keys(first) == keys(second) == {cell.key for cell in store.cells() if cell.status == "ok"}
    by_settings = {cell.key: cell.settings for cell in store.cells()}
    key_of = {str(settings): key for key, settings in by_settings.items()}
    held, again = (read(path, lambda settings: key_of[str(dict(sorted(settings.items())))]) for path in (first, second))
    assert [cell for cell, _ in held] == [cell for cell, _ in again]
    for (_, one), (_, other) in zip(held, again, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_the_json_of_a_cell_is_written_once_a_row_group(store, add, tmp_path):
    parameters = {"text": "x" * 600_000}  # two of these exceed Parquet's usual limit of a dictionary
    for number in range(3):
        add({}, images=list(range(100)), of=[100], attack=f"a{number}", parameters=parameters)
    publish_to(store, tmp_path / "board")
    group = ParquetFile(tmp_path / "board" / RECORDS).metadata.row_group(0)
    assert group.column(0).total_uncompressed_size < 3 * 700_000
