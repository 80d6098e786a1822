"""Killed at any instant and started again, a run ends with the same board; Ctrl-C says how to go on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmark_cases import TIMES
from benchmark_helpers import PATIENCE, ROOT, SLOW_PLUGIN, board, environment, records, run, start, suite_file

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


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
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


# Imports once, then forks child after child, each of which kills itself at a moment of writing that it counts to:
# before or after a file is brought to the disk, or put in its place. Between those nothing changes for another run.
DRIVER = """
import os, signal, sys
import benchmark.commands.run
from benchmark.cli import main

def mortal(call):
    def counted(*arguments):
        global left
        for turn in ("before", "after"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if turn == "before":
                result = call(*arguments)
        return result
    return counted

for moments in map(int, sys.argv[1].split()):
    child = os.fork()
    if child == 0:
        left = moments
        os.fsync, os.replace = mortal(os.fsync), mortal(os.replace)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main(sys.argv[2:]))
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"not killed at moment {moments}"
sys.exit(main(sys.argv[2:]))
"""


def test_killed_at_any_moment_of_writing_and_run_to_the_end(folder: Path):
    results = folder / "killed"
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, "1 2 3 5 6 16 41", *arguments(folder, results)],
        capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_as_if_never_stopped(folder, results)


# The same, but each child is killed from outside, after a time that is drawn, and the next goes on in its folder.
AT_RANDOM = """
import os, random, signal, sys, time
import benchmark.commands.run
from benchmark.cli import main

chance = random.Random(0)
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main(sys.argv[3:]))
    time.sleep(chance.expovariate(float(sys.argv[2])))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
sys.exit(main(sys.argv[3:]))
"""


def test_killed_at_random_instants_and_run_to_the_end(folder: Path):
    """50 instants in the long form. Where a kill falls is luck; what follows is the same wherever it falls."""
    results = folder / "random"
    instants, a_second = (3, 1.0) if TIMES == 1 else (50, 0.3)
    done = subprocess.run(
        [sys.executable, "-c", AT_RANDOM, str(instants), str(a_second), *arguments(folder, results)],
        capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_as_if_never_stopped(folder, results)


def test_the_real_program_killed_and_started_again_goes_on(folder: Path, capsys: pytest.CaptureFixture[str]):
    results = folder / "real"
    process = start(*arguments(folder, results), env=environment(PYTHONHASHSEED="1", HELD_AT="1.0"))
    wait_for(lambda: stored(results) >= 5, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    held = stored(results)
    assert 5 <= held < CELLS

    # Keys do not depend on how a process happens to hash, which is otherwise in this one.
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
    process = start(*arguments(folder, results), env=environment(HELD_AT="0.5"))
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
