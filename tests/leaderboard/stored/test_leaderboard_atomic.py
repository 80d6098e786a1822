from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from leaderboard import StoreError
from leaderboard.stored import atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_write_replaces_and_leaves_nothing_else(tmp_path):
    for data in (b"one", b"two"):
        atomic.write(tmp_path / "a.json", data)
    assert (tmp_path / "a.json").read_bytes() == b"two"
    assert names(tmp_path) == ["a.json"]


def test_a_full_disk_is_one_clear_line_and_the_old_file_stays(tmp_path, monkeypatch):
    atomic.write(tmp_path / "a.json", b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"^cannot write .*a\.json: No space left on device; make room") as error:
        atomic.write(tmp_path / "a.json", b"new")
    assert "\n" not in str(error.value)
    assert (tmp_path / "a.json").read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(tmp_path / "a.json", b"new")
    assert names(tmp_path) == []


def test_sweep_leaves_what_another_machine_writes_for_a_day(tmp_path):
    (tmp_path / ".a.json.1-01234567-89abcdef-0000aaaa.tmp").touch()
    (tmp_path / ".b.json.1-01234567-89abcdef-0000aaaa.tmp").touch()
    os.utime(tmp_path / ".b.json.1-01234567-89abcdef-0000aaaa.tmp", (0, 0))
    atomic.sweep(tmp_path)
    assert names(tmp_path) == [".a.json.1-01234567-89abcdef-0000aaaa.tmp"]


def test_sweep_removes_only_what_dead_writers_left(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    remains = f".a.json.{int(dead.stdout)}-01234567-89abcdef.tmp"
    namesake = f".b.json.{os.getpid()}-01234567-89abcdef.tmp"  # our process id, used before us
    ours = f".c.json.{os.getpid()}-{atomic._TOKEN}-89abcdef.tmp"
    living = f".d.json.{os.getppid()}-01234567-89abcdef.tmp"
    for name in (remains, namesake, ours, living, "notes.tmp", "a.json"):
        (tmp_path / name).touch()
    atomic.sweep(tmp_path)
    assert names(tmp_path) == sorted([ours, living, "notes.tmp", "a.json"])
