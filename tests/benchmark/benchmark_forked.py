"""The program in a process of its own, forked from one that has imported everything: to start it costs next to nothing.

What a fresh interpreter does before ``main`` is not seen here: `benchmark_helpers.start` is the program as users start
it. Both get signals, are killed and end alike.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and fork")
"""For what a process is sent, or does, that Windows has not."""

IMPORTED = ["benchmark.commands.run", "benchmark.commands.train", "benchmark.running.dispatch", "pytest"]
"""By the process that the others are forked from. It lives as long as this one."""


def _main(arguments: list[str], variables: dict[str, str], said: list[str], dies_at: int) -> None:
    """In the fork."""
    for descriptor, path in enumerate(said, start=1):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.update(variables)
    if dies_at:
        _die_at(dies_at)
    sys.path[:0] = [folder for folder in variables.get("PYTHONPATH", "").split(os.pathsep) if folder not in sys.path]
    from benchmark.cli import main

    sys.exit(main(arguments))


def _die_at(moment: int) -> None:
    """Have this process kill itself at a moment of writing, counted from 1.

    Those are before and after a file is brought to the disk, or put in its place. Between them nothing changes for
    another run.
    """
    left = moment

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            nonlocal left
            for turn in ("before", "after"):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                if turn == "before":
                    result = call(*arguments)
            return result

        return counted

    os.fsync, os.replace = mortal(os.fsync), mortal(os.replace)


class Forked:
    """A run of the program, with what tests ask of a `subprocess.Popen`.

    Args:
        folder: where what it says is kept.
        arguments: the command line.
        dies_at: at which moment of writing it kills itself; 0 for never.
        variables: of the environment, over this process's own.
    """

    def __init__(self, folder: Path, *arguments: object, dies_at: int = 0, **variables: str) -> None:
        self._said = []
        for name in ("out", "err"):
            file, path = tempfile.mkstemp(prefix=f"{name}-", dir=folder)
            os.close(file)
            self._said.append(path)
        context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
        context.set_forkserver_preload(IMPORTED)
        words = [str(argument) for argument in arguments]
        given = (words, {**os.environ, **variables}, self._said, dies_at)
        self._process = context.Process(target=_main, args=given)
        self._process.start()
        atexit.register(self._process.kill)  # where its test failed: this process would else wait for its end

    @property
    def returncode(self) -> int | None:
        """None as long as it runs; below 0 where a signal ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            assert self._process.pid is not None
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end. Returns what it said, standard output first."""
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutError(f"it still runs after {timeout} s")
        out, err = (Path(path).read_text(encoding="utf-8") for path in self._said)
        return out, err
