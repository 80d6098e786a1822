"""A disk that is full, over quota, failing or read-only in mid-run: one line at once, and the same command goes on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import (
    PATIENCE,
    ROOT,
    board,
    by_attack,
    command,
    define,
    environment,
    error_line,
    run,
    suite_file,
)

from attacks import Transfer
from benchmark.running.surrogates import OF_ANSWERS
from leaderboard import Store
from leaderboard.stored import atomic, unfinished
from leaderboard.stored.lock import sole_writer
from targets.models import SmallCNN

KINDS = {"full": errno.ENOSPC, "over quota": errno.EDQUOT, "read-only": errno.EROFS, "failing": errno.EIO}


@contextmanager
def disk(room: int, kind: str) -> Iterator[None]:
    """Within it, whatever is stored may take so many bytes; then writing fails as it does on such a disk."""
    left = [room]

    def broken(path: Any = None) -> OSError:
        return OSError(KINDS[kind], os.strerror(KINDS[kind]))

    def limited(path: Any, mode: str) -> Any:
        if left[0] <= 0 and kind == "read-only":
            raise broken()
        file = open(path, mode)  # noqa: SIM115 (closed by whoever was given it)
        real = file.write

        class Limited:
            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def write(self, data: bytes) -> int:
                left[0] -= len(data)
                if left[0] < 0:
                    real(bytes(data)[: max(0, left[0] + len(data))])
                    raise broken()
                return int(real(data))

        return Limited()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "open", limited, raising=False)
        yield


def stored(results: Path) -> set[str]:
    """The names of all files in a results folder."""
    return {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, and the results of a run that had room."""
    folder = tmp_path_factory.mktemp("disk")
    suite_file(folder / "s.toml", attacks=["clean", "gaussian"], images=4, shard=2)
    assert run(folder / "s.toml", folder / "r") == 0
    return folder


@pytest.mark.parametrize(
    ("room", "kind"),
    [(0, "full"), (300, "full"), (9_000, "full"), (30_000, "over quota"), (60_000, "read-only"), (80_000, "failing")],
)
def test_a_run_on_a_disk_that_fills(room: int, kind: str, whole: Path, tmp_path: Path, capsys):
    results = tmp_path / "r"
    capsys.readouterr()
    with disk(room, kind):
        assert run(whole / "s.toml", results) == 2
    out, err = capsys.readouterr()
    line = error_line(err)
    assert os.strerror(KINDS[kind]) in line
    assert out == ""
    hidden = [path.name for path in tmp_path.rglob(".*") if path.name != unfinished.NAME]
    assert hidden == []
    if (results / "store.json").exists():
        store = Store.read(results)
        cells, damaged = store.survey()
        assert damaged == []
        assert all(cell.status == "ok" for cell in cells)
        assert all(store.records(cell.key).image.tolist() == cell.settings["images"] for cell in cells)
        kept = {cell.key: cell.created for cell in cells}
    else:
        kept = {}
    assert run(whole / "s.toml", results) == 0
    created = {cell.key: cell.created for cell in Store.read(results).cells()}
    assert kept.items() <= created.items()  # what had been stored was not run again
    assert board(results) == board(whole / "r")
    assert stored(results) == stored(whole / "r")
    assert not list(tmp_path.rglob(".*"))


def test_a_disk_that_fills_while_a_surrogate_is_stored_ends_the_run_although_the_attack_catches_that(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    def act(model: Transfer, images: Any) -> None:
        with suppress(BaseException):
            model.surrogate("mine", SmallCNN, lambda module, images, answers, seed: None)

    def write_shared(self: Store, key: str, settings: dict[str, Any], *rest: Any, **more: Any) -> None:
        with disk(0 if settings["what"] == OF_ANSWERS else 10**9, "full"):
            real(self, key, settings, *rest, **more)

    real = Store.write_shared
    define("catches", Transfer, act)
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "catches"], images=1, samples=20)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write_shared", write_shared)
        assert run(suite, tmp_path / "r") == 2
    assert "No space left on device" in error_line(capsys.readouterr().err)
    assert list(by_attack(tmp_path / "r")) == ["clean"]
    assert run(suite, tmp_path / "r") == 0


def test_a_board_on_a_disk_that_fills_says_so_until_it_is_published_again(whole: Path, tmp_path: Path, capsys):
    output = tmp_path / "p"
    assert command("publish", "--results", whole / "r", "--output", output) == 0
    capsys.readouterr()
    with disk(40_000, "full"):
        assert command("publish", "--results", whole / "r", "--output", output) == 2
    assert "No space left on device; make room" in error_line(capsys.readouterr().err)
    assert command("verify", output) == 1
    assert "FAIL  whole:              files are of two boards" in capsys.readouterr().out
    assert command("publish", "--site", tmp_path / "site", output) == 2
    assert "holds files of two boards" in error_line(capsys.readouterr().err)
    assert command("publish", "--results", whole / "r", "--output", output) == 0
    assert command("verify", output) == 0
    assert not list(output.glob(".*"))


def test_a_lock_is_taken_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with sole_writer(tmp_path / "t"):
        pass
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource, sys
from benchmark.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of the operating system")
def test_a_limit_of_the_operating_system_on_the_size_of_files(whole: Path, tmp_path: Path):
    words = ["run", "--suite", whole / "s.toml", "--results", tmp_path / "r", "--workers", "0", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "6000", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "File too large; make room" in error_line(done.stderr)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="whoever is root may write everywhere")
def test_a_folder_that_becomes_read_only(whole: Path, tmp_path: Path, capsys):
    results = tmp_path / "r"
    assert run(whole / "s.toml", results, "--attacks", "clean") == 0
    (results / "cells").chmod(0o500)
    try:
        assert run(whole / "s.toml", results) == 2
    finally:
        (results / "cells").chmod(0o700)
    assert "Permission denied" in error_line(capsys.readouterr().err)
    assert run(whole / "s.toml", results) == 0
