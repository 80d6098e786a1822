"""Another process, in which an attack must return what it returns here and a target must be the same network.

``python -m benchmark.kit.elsewhere`` reads one job a line from standard input, JSON, and answers each with a line. One
such process serves a whole test session.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import IO, Any

from benchmark.kit.clause import Broken
from benchmark.rooms import HOME


class Elsewhere:
    """The process."""

    def __init__(self) -> None:
        # Another order of sets: what depends on it differs from process to process.
        hashes = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
        path = os.pathsep.join(filter(None, [str(HOME), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmark.kit.elsewhere"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        )
        atexit.register(self.close)

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """The answer to a job. Raises :class:`Broken` where it fails there, or the process dies."""
        stdin, stdout = self._pipes()
        try:
            stdin.write(json.dumps(job) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            _process.cache_clear()
            raise Broken(f"another process ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Broken(f"in another process: {answer['error']}")
        return answer

    def close(self) -> None:
        """End it."""
        for pipe in self._pipes():
            pipe.close()
        self._process.wait()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout


@cache
def _process() -> Elsewhere:
    return Elsewhere()


def ask(job: dict[str, Any]) -> dict[str, Any]:
    """What another process answers to a job of :func:`_answer`."""
    return _process().ask(job)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job: {"what": "attack", …} runs an attack and saves its images; {"what": "target", …} digests a network."""
    from benchmark.plugins.loading import load_file, load_installed
    from targets.registry import Registry

    registry: Registry[Any]
    if job["what"] == "attack":
        from attacks import ATTACKS as registry
    else:
        from targets import TARGETS as registry
    if job["name"] not in registry:
        load_installed()
    if job["name"] not in registry and job["plugin"]:
        load_file(Path(job["plugin"]))
    return _attack(job) if job["what"] == "attack" else _target(job)


def _attack(job: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    from benchmark.kit.bench import Bench
    from benchmark.kit.world import World

    world = World.of(job["world"])
    with world.entered():
        run = Bench(world, job["name"], settings=job["settings"]).run()
    np.save(job["output"], run.returned.cpu().numpy())
    return {}


def _target(job: dict[str, Any]) -> dict[str, Any]:
    from targets import load

    return {"digest": load(job["name"], "cpu").digest}


def main() -> None:
    """Answer until standard input ends."""
    import torch

    from benchmark.kit.clause import where

    torch.set_num_threads(1)
    answers, sys.stdout = sys.stdout, sys.stderr  # what an attack prints is no answer
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line))
        except Exception as error:  # whatever somebody's code raises
            answer = {"error": str(error) if isinstance(error, Broken) else where(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    # As the module that others import: what is raised there is then of the class that is caught here.
    from benchmark.kit import elsewhere

    elsewhere.main()
