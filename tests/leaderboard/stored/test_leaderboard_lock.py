from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leaderboard import StoreError
from leaderboard.stored.lock import sole_writer, sweep

HOLDER = """
import sys, time
from pathlib import Path
from leaderboard.stored.lock import sole_writer, sweep
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_at_a_time_and_nothing_is_left(tmp_path):
    path = tmp_path / "t.tsv"
    for _ in range(2):
        with (
            sole_writer(path),
            pytest.raises(StoreError, match=rf"t\.tsv is being written by process {os.getpid()} on"),
            sole_writer(path),
        ):
            pass
        with sole_writer(tmp_path / "u.tsv"), sole_writer(path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_dies_with_its_process(tmp_path):
    path = tmp_path / "t.tsv"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match=f"process {holder.pid} on"), sole_writer(path):
            pass
        holder.kill()
    with sole_writer(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with (
        pytest.raises(StoreError, match=r"cannot write into .*none: No such file"),
        sole_writer(tmp_path / "none" / "t"),
    ):
        pass


def test_a_sweep_removes_the_locks_of_the_dead_and_no_others(tmp_path):
    (tmp_path / ".dead.npz.lock").write_text("process 1 on nowhere\n", encoding="utf-8")
    (tmp_path / "kept.npz").write_bytes(b"")
    with sole_writer(tmp_path / "t.tsv"):
        sweep(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [".t.tsv.lock", "kept.npz"]
