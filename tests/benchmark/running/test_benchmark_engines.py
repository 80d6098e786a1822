"""Engines: the same records from each, no worker that waits, none that is missed; what is asked of them wrongly."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import command, error_line, images, records
from engines_world import asked, needs_dask, needs_submitit, written
from pandas.testing import assert_frame_equal

from leaderboard import Store

# Engines that end their workers at exit may do so while sockets are still open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("engines"))


SAME = ["clean", "nes", "square", "uses"]  # and the best of two


@pytest.fixture(scope="module")
def whole(plugin: Path) -> Path:
    """The results of one process."""
    results = plugin.parent / "whole"
    assert command(*asked(plugin, results, SAME, "--workers", 0, shard=2, query_budgets=[3], best_of=True)) == 0
    return results


def assert_same(one: Path, other: Path, attacks: list[str]) -> None:
    """Records and images to the bit."""
    for name in attacks:
        first, second = (records(results, name) for results in (one, other))
        assert len(first) == 4
        assert_frame_equal(first, second, check_exact=True)
        found = images(other, name)
        for index, pixels in images(one, name).items():
            assert (pixels == found[index]).all()


@contextmanager
def another_cluster_s_port_taken() -> Iterator[None]:
    """The port that a Dask cluster takes by default, of which it would warn."""
    with closing(socket.socket()) as other:
        with suppress(OSError):  # taken in earnest
            other.bind(("", 8787))
            other.listen()
        yield


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param(["--workers", 2], id="local-2"),
        pytest.param(["--engine", "dask", "--workers", 2], id="dask-2", marks=needs_dask),
    ],
)
def test_two_workers_give_the_same_records_and_neither_waits_while_there_are_other_cells(
    plugin: Path, whole: Path, tmp_path: Path, engine: list[Any], capsys: pytest.CaptureFixture[str]
):
    """A surrogate's training ends when the last cell has been run. So whoever waits for it first, waits for ever."""
    told = plugin.parent / "told.txt"
    for path in (told, plugin.parent / "went-on"):
        path.unlink(missing_ok=True)
    attacks = ["needs-first", *SAME, "needs-last", "went-on"]
    results = tmp_path / "r"
    with another_cluster_s_port_taken():
        assert command(*asked(plugin, results, attacks, *engine, shard=2, query_budgets=[3], best_of=True)) == 0
    assert "18 cells run, 0 stored already, 0 failed." in capsys.readouterr().out
    assert_same(whole, results, [*SAME, "best-of score"])
    assert all(cell.status == "ok" and cell.error is None for cell in Store.read(results).cells())
    words = [line.split()[0] for line in told.read_text().splitlines()]
    assert words.count("fit") == 2  # of what they need, and of what another attack uses
    assert words.count("caught") >= 1


@needs_dask
def test_a_dask_worker_that_is_killed_costs_no_cell(plugin: Path, tmp_path: Path):
    def kill() -> None:
        while not (told.exists() and told.read_text().endswith("\n")):  # it is there before its first line is
            time.sleep(0.05)
        (plugin.parent / "killed").touch()
        (_, _, host) = told.read_text().splitlines()[0].split()
        os.kill(int(host), signal.SIGKILL)

    told = plugin.parent / "told.txt"
    told.unlink(missing_ok=True)
    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    engine = ("--engine", "dask", "--workers", 1)
    assert command(*asked(plugin, tmp_path / "r", ["hosted", "clean"], *engine)) == 0
    assert (plugin.parent / "killed").exists()
    assert {cell.status for cell in Store.read(tmp_path / "r").cells()} == {"ok"}
    tries = [line for line in told.read_text().splitlines() if line.startswith("hosted")]
    assert len({line.split()[1] for line in tries}) == 2


@needs_submitit
def test_jobs_of_submitit_give_the_same_records(
    plugin: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Each job is a process that hosts another, so there are only two."""
    # submitit ends local jobs after two minutes, which a busy machine may take to start one
    options = ("--engine-options", "cluster=local", "timeout_min=60")
    asks = asked(plugin, tmp_path / "r", ["uses"], "--engine", "submitit", "--workers", 2, *options, shard=2)
    assert command(*asks) == 0
    assert "2 cells run, 0 stored already, 0 failed." in capsys.readouterr().out
    assert_same(whole, tmp_path / "r", ["uses"])


def test_a_dry_run_writes_nothing_and_says_what_is_missing(
    plugin: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before = sorted(path.name for path in whole.rglob("*"))
    values = {"shard": 2, "query_budgets": [3], "best_of": True}
    assert command(*asked(plugin, tmp_path / "none", SAME, "--dry-run", **values)) == 0
    out = capsys.readouterr().out
    assert "10 cells: 0 stored already, 10 to run.\nNothing like them is measured in the results folder yet" in out
    assert not (tmp_path / "none").exists()

    assert command(*asked(plugin, whole, SAME, "--dry-run", "--epsilons", 0.5, 1.0, "--workers", 2, **values)) == 0
    out = capsys.readouterr().out
    assert "20 cells: 10 stored already, 10 to run." in out
    assert "with 2, and 1.6e+03 noise samples." not in out  # the attacks' own samples count, too
    assert "of one worker, or" in out
    assert sorted(path.name for path in whole.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "tcp://here:1"], "--scheduler is an option of --engine dask; add that, or leave it out"),
        (["--engine-options", "a=1"], "--engine-options are options of --engine submitit; add that, or leave them out"),
        (["--engine", "submitit", "--engine-options", "a"], "--engine-options a: give NAME=VALUE, as slurm_partition"),
        (["--cell-timeout", 0], "--cell-timeout is 0; give a number above 0"),
        (["--cell-memory", -1], "--cell-memory is -1; give a number above 0"),
        (["--cell-timeout", 1, "--workers", 0], "--workers is 0, this process alone; engines and limits need 1"),
        (["--engine", "dask", "--workers", 0], "--workers is 0, this process alone; engines and limits need 1"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    plugin: Path, tmp_path: Path, options: list[Any], message: str, capsys: pytest.CaptureFixture[str]
):
    assert command(*asked(plugin, tmp_path / "r", ["clean"], *options)) == 2
    assert error_line(capsys.readouterr().err).startswith(f"error: {message}")


@pytest.mark.parametrize(("engine", "package"), [("dask", "distributed"), ("submitit", "submitit")])
def test_a_missing_package_is_one_line_that_says_what_to_install(
    plugin: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    engine: str,
    package: str,
):
    monkeypatch.setitem(sys.modules, package, None)
    assert command(*asked(plugin, tmp_path / "r", ["clean"], "--engine", engine)) == 2
    line = error_line(capsys.readouterr().err)
    assert line == f"error: --engine {engine} needs a package: python -m pip install {package}"
