"""Faults that are injected into workers cost no cell but their own; two runs at a time do nothing twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmark_forked import Forked
from benchmark_helpers import PATIENCE, by_attack, command
from engines_world import asked, written

from leaderboard import Store

# Engines that end their workers at exit may do so while sockets are still open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("engines"))


SURVIVED = {"moves": "ok", "closes": "ok", "fine": "ok", "clean": "ok"}
REASONS = {
    "ends": "SystemExit: 0",
    "interrupts": "KeyboardInterrupt: mine",
    "cancels": "asyncio.exceptions.CancelledError: mine",
    "generator-exit": "GeneratorExit: mine",
    "loops": "TimeLimit: the attack took longer than --cell-timeout 3",
    "swallows": "TimeLimit: the attack took longer than --cell-timeout 3",
    "eats": "OutOfMemory: the attack wanted more than --cell-memory 1",
}


@pytest.mark.skipif(not os.path.exists("/proc"), reason="memory is limited on Linux only")
def test_whatever_an_attack_does_only_its_own_cell_fails_with_the_reason(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    limits = ("--cell-timeout", 3, "--cell-memory", 1)
    assert command(*asked(plugin, Path("r"), [*REASONS, *SURVIVED], *limits)) == 1
    cells = by_attack(tmp_path / "r")
    assert {name: cell.status for name, cell in cells.items()} == {**dict.fromkeys(REASONS, "error"), **SURVIVED}
    for name, reason in REASONS.items():
        assert (cells[name].error or "").strip().splitlines()[-1].startswith(reason), cells[name].error
    assert "in in_a_c_loop" in (cells["loops"].error or "")  # where it was when its time was up
    assert sorted(path.name for path in (tmp_path / "r" / "shared").glob(".*")) == []


def test_two_runs_on_one_folder_train_a_surrogate_once(plugin: Path, tmp_path: Path):
    told = plugin.parent / "told.txt"
    told.unlink(missing_ok=True)
    asks = asked(plugin, tmp_path / "r", ["uses", "clean"], "--workers", 0, shard=2)
    runs = [Forked(tmp_path, *asks, FIT_SECONDS="2") for _ in range(2)]
    for run in runs:
        said = run.communicate(timeout=PATIENCE)
        assert run.returncode == 0, said
    assert len(Store.read(tmp_path / "r").cells()) == 4
    assert [line.split()[0] for line in told.read_text().splitlines()] == ["fit"]
