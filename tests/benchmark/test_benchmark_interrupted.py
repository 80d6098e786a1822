"""Killed at any instant and started again, a run ends with the same board; Ctrl-C says how to go on."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmark_cases import TIMES
from benchmark_forked import Forked
from benchmark_helpers import PATIENCE, SLOW_PLUGIN, board, environment, records, run, start, suite_file

from leaderboard import Store

ATTACKS = ["clean", "gaussian", "slow", "tv-transfer"]
CHEAP = {"slow": {"pause": 0.0}, "tv-transfer": {"epochs": 1, "evaluations": 2, "search_steps": 1}}
CELLS = 4 * 2 * 3

HELD_PLUGIN = SLOW_PLUGIN.replace(
    "time.sleep(self.pause)",
    'import os; time.sleep(3600 if os.environ.get("HELD_AT") == str(epsilon) else 0)',
)
"""An attack that does not come back from the ε that an environment variable names, so that a kill meets it there."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and fork")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, a plugin, and the results of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "slow.py").write_text(HELD_PLUGIN, encoding="utf-8")
    suite = suite_file(folder / "s.toml", CHEAP, attacks=ATTACKS, epsilons=[0.5, 1.0], images=5, shard=2)
    assert run(suite, folder / "whole", "--plugin", folder / "slow.py") == 0
    return folder


def arguments(folder: Path, results: Path) -> list[str]:
    return [
        *("run", "--suite", str(folder / "s.toml"), "--results", str(results), "--plugin", str(folder / "slow.py")),
        *("--device", "cpu"),
    ]


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str] | Forked) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.005)


def stored(results: Path) -> int:
    return len(list((results / "cells").glob("*.json"))) if (results / "cells").is_dir() else 0


def assert_as_if_never_stopped(folder: Path, results: Path) -> None:
    assert board(results) == board(folder / "whole")
    assert all(row["superseded_cells"] == 0 and row["status"] == "ok" for row in board(results))
    for attack in ATTACKS:
        assert records(results, attack).equals(records(folder / "whole", attack))
    names = [sorted(p.relative_to(r).as_posix() for p in r.rglob("*")) for r in (results, folder / "whole")]
    assert names[0] == names[1]  # no temporary file left, no cell twice, none missing
    assert len(Store.read(results).cells()) == CELLS


def killed(run: Forked) -> bool:
    """Wait for the end of a run; whether that was a kill."""
    run.communicate(PATIENCE)
    return run.returncode == -signal.SIGKILL


def test_killed_at_any_moment_of_writing_and_run_to_the_end(folder: Path):
    results = folder / "killed"
    # First while it writes cells and what they share, each time some more; then while it writes their board.
    for moments in ((1, 2, 3, 5, 6, 16, 41), (1, 2, 7)):
        for moment in moments:
            process = Forked(folder, *arguments(folder, results), "--workers", 0, dies_at=moment)
            assert killed(process), f"not killed at moment {moment}"
        assert run(folder / "s.toml", results, "--plugin", folder / "slow.py") == 0
        assert_as_if_never_stopped(folder, results)


def test_killed_at_random_instants_and_run_to_the_end(folder: Path):
    """50 instants in the long form. Where a kill falls is luck; what follows is the same wherever it falls."""
    results, chance = folder / "random", random.Random(0)
    instants, a_second = (3, 1.0) if TIMES == 1 else (50, 0.3)
    for _ in range(instants):
        process = Forked(folder, *arguments(folder, results), "--workers", 0)
        time.sleep(chance.expovariate(a_second))
        process.kill()
        killed(process)  # or done already
    assert run(folder / "s.toml", results, "--plugin", folder / "slow.py") == 0
    assert_as_if_never_stopped(folder, results)


def test_the_real_program_killed_and_started_again_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]):
    results = folder / "real"
    # Keys do not depend on how a process happens to hash, which is otherwise in this one.
    process = start(*arguments(folder, results), env=environment(PYTHONHASHSEED="1", HELD_AT="1.0"))
    wait_for(lambda: stored(results) >= 5, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    held = stored(results)
    assert 5 <= held < CELLS

    assert run(folder / "s.toml", results, "--plugin", folder / "slow.py") == 0
    assert f"{CELLS - held} cells run, {held} stored already, 0 failed." in capsys.readouterr().out
    assert_as_if_never_stopped(folder, results)


def assert_stopped(results: Path, err: str) -> None:
    assert err.strip().splitlines()[-1] == (
        f"stopped; finished cells are kept in {results}. Run the same command again to go on."
    )
    assert "Traceback" not in err
    assert not list(results.rglob("*.tmp"))


def test_ctrl_c_stops_soon_and_says_how_to_go_on(folder: Path):
    results = folder / "stopped"
    process = Forked(folder, *arguments(folder, results), HELD_AT="0.5")
    wait_for(lambda: stored(results) >= 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)  # the attack would take an hour
    assert process.returncode == 130
    assert out == ""
    assert_stopped(results, err)
    assert 2 <= stored(results) < CELLS
    assert run(folder / "s.toml", results, "--plugin", folder / "slow.py") == 0
    assert_as_if_never_stopped(folder, results)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_an_attack_loses_no_finished_cell(
    number: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    plugin = tmp_path / "p.py"
    text = SLOW_PLUGIN.replace("time.sleep(self.pause)", f"import signal; signal.raise_signal({int(number)})")
    plugin.write_text(text, encoding="utf-8")
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "slow"])
    assert run(suite, tmp_path / "r", "--plugin", plugin) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert_stopped(tmp_path / "r", err)
    assert [cell.settings["attack"] for cell in Store.read(tmp_path / "r").cells()] == ["clean"]
