"""A worker process that is killed while it writes: the run sweeps the file, whether it goes on or is stopped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmark_helpers import by_attack, command, suite_file

PLUGIN = '''
import os
import signal
import time
from pathlib import Path

from attacks import Attack, NoAccess, register
from leaderboard.stored import atomic

HERE = Path(__file__).parent
CELLS = HERE / "r" / "cells"


class Writes(Attack):
    """Ends while the process writes a file, the first time."""

    access = NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        left = sorted(path.name for path in CELLS.glob(".*.tmp"))
        with open(HERE / "seen", "a") as file:
            file.write(f"{len(left)} ")
        if not left:
            with atomic.writing(CELLS / "half.json") as file:
                file.write(b"half")
                file.flush()
                self.end()
        return images


@register("killed")
class Killed(Writes):
    """Its process is killed."""

    def end(self):
        os.kill(os.getpid(), signal.SIGKILL)


@register("stopped")
class Stopped(Writes):
    """Stops the run as Ctrl-C does, and goes on for ever."""

    def end(self):
        os.kill(os.getppid(), signal.SIGINT)
        while True:
            time.sleep(600)
'''


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file of a dead process is kept while its id is known")
@pytest.mark.parametrize(("attack", "code", "seen"), [("killed", 0, "0 1 "), ("stopped", 130, "0 ")])
def test_what_a_killed_worker_was_writing_is_swept(tmp_path: Path, attack: str, code: int, seen: str):
    plugin, results = tmp_path / "plugin.py", tmp_path / "r"
    plugin.write_text(PLUGIN, encoding="utf-8")
    suite = suite_file(tmp_path / "s.toml", attacks=[attack], images=1)
    run = ["run", "--suite", suite, "--plugin", plugin, "--results", results, "--quiet", "--workers", 1]
    assert command(*run) == code
    # The killed one's file still lay there when its cell was tried again.
    assert (tmp_path / "seen").read_text(encoding="utf-8") == seen
    assert [path.name for path in results.rglob(".*")] == []
    assert list(by_attack(results)) == ([attack] if code == 0 else [])
