"""Killed at any instant and started again, a run ends with the same board; Ctrl-C says how to go on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmark_helpers import ROOT, SLOW_PLUGIN, board, environment, program, records, run, start, suite_file

from leaderboard import Store

ATTACKS = ["clean", "gaussian", "slow", "tv-transfer"]
CHEAP = {"slow": {"pause": 0.03}, "tv-transfer": {"epochs": 1, "evaluations": 2, "search_steps": 1}}
CELLS = 4 * 2 * 3

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and fork")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, a plugin, and the results of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "slow.py").write_text(SLOW_PLUGIN, encoding="utf-8")
    suite = suite_file(folder / "s.toml", CHEAP, attacks=ATTACKS, epsilons=[0.5, 1.0], images=5, shard=2)
    assert run(suite, folder / "whole", "--plugin", folder / "slow.py") == 0
    return folder


def arguments(folder: Path, results: Path) -> list[str]:
    return [
        *("run", "--suite", str(folder / "s.toml"), "--results", str(results), "--plugin", str(folder / "slow.py")),
        *("--device", "cpu"),
    ]


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
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


# Imports once, then lets child after child be killed in the middle of the run.
DRIVER = """
import os, random, signal, sys, time
import benchmark.commands.run
from benchmark.cli import main

seed, longest, kills = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
killed = 0
for _ in range(kills):
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main(sys.argv[4:]))
    time.sleep(rng.uniform(0, longest))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status)
print(killed, flush=True)
sys.exit(main(sys.argv[4:]))
"""


def test_killed_at_random_instants_and_run_to_the_end(folder: Path):
    results = folder / "killed"
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, "7", "0.5", "12", *arguments(folder, results)],
        capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[0]) >= 4  # the kills hit a living run
    assert_as_if_never_stopped(folder, results)


def test_the_real_program_killed_and_started_again_goes_on(folder: Path):
    results = folder / "real"
    process = start(*arguments(folder, results), env=environment(PYTHONHASHSEED="1"))
    wait_for(lambda: stored(results) >= 5, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    held = stored(results)
    assert 5 <= held < CELLS

    # Keys do not depend on how this process happens to hash.
    done = program(*arguments(folder, results), env=environment(PYTHONHASHSEED="2"))
    assert done.returncode == 0, done.stderr
    assert f"{CELLS - held} cells run, {held} held already, 0 failed." in done.stdout
    assert_as_if_never_stopped(folder, results)


def assert_stopped(results: Path, err: str) -> None:
    assert err.strip().splitlines()[-1] == (
        f"stopped; finished cells are kept in {results}. Run the same command again to go on."
    )
    assert "Traceback" not in err
    assert not list(results.rglob("*.tmp"))


def test_ctrl_c_stops_soon_and_says_how_to_go_on(folder: Path):
    results = folder / "stopped"
    process = start(*arguments(folder, results))
    wait_for(lambda: stored(results) >= 2, process)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - begun < 5
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
