"""Runs cells in worker processes of this machine, for whichever engine sends them.

Every worker process has a pool of its own (loky's, an ``Executor`` of ``concurrent.futures``), so that one that dies
takes no other's cell with it. It stays for the next cell, and is given one of the same target where there is one, so
that its cache is of use. The engine calls :func:`run_hosted` from as many threads as cells may run at a time.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.running.hardware import visible_gpus
from benchmark.running.work import Done
from benchmark.running.worker_process import WorkerSettings, begin, run_in_worker

TRIES = 2
"""How often a cell is tried whose worker dies. The first death may have been for want of memory, beside other cells."""

GROWTH = "4e9"
"""Bytes by which a worker may grow before loky takes it for a leak and replaces it, with all that it holds. By default
that is 300 MB, which a data set, a network and what is compiled of it take."""

Ordered = tuple[int, dict[str, Any], bool]
"""A cell that is to be run: its position among its target's cells, its settings, and whether it may wait for others."""


@dataclass(frozen=True)
class Death:
    """A cell whose worker process ended before it was done.

    Attributes:
        reason: what is known of it; its last line says it all.
        seconds: spent on it.
    """

    reason: str
    seconds: float


@dataclass(eq=False)
class _Worker:
    """A pool of one process.

    Attributes:
        number: among this run's workers on this machine; decides its GPU.
        words: the file of its last words.
    """

    executor: Any
    number: int
    words: Path
    target: str = ""


@dataclass
class _Run:
    """A run's workers in this process."""

    workers: list[_Worker] = field(default_factory=list)
    idle: list[_Worker] = field(default_factory=list)
    ended: bool = False


_RUNS: dict[str, _Run] = {}
_LOCK = threading.Lock()


def run_hosted(settings: WorkerSettings, target: str, cells: Sequence[Ordered], first: int = 0) -> list[Done | Death]:
    """Run cells of a target, one after another, and return what became of each.

    A cell whose worker process dies is tried once more in another one.

    Args:
        first: number of the first worker process here, where other processes on this machine host some, too.

    Raises:
        CancelledError: the run has ended.
    """
    return [_hosted(settings, target, cell, first) for cell in cells]


def _hosted(settings: WorkerSettings, target: str, cell: Ordered, first: int) -> Done | Death:
    begun, reason = time.perf_counter(), ""
    for _ in range(TRIES):
        worker = _take(settings, target, first)
        try:
            done: Done = worker.executor.submit(run_in_worker, target, *cell).result()
        except BrokenExecutor as error:
            words = _remove(settings, worker)
            if words.startswith("Timeout"):
                reason = f"{words}\nTimeLimit: the attack took longer than --cell-timeout {settings.limits.seconds:g}"
                break
            reason = f"{words}\n{_death(error)}".lstrip()
            continue
        except BaseException:
            _remove(settings, worker)
            raise
        _put_back(settings, worker)
        return done
    return Death(reason, time.perf_counter() - begun)


def _death(error: BrokenExecutor) -> str:
    how = str(error).partition("exit codes of the workers are ")[2].partition("\n")[0].strip()
    reason = f"WorkerDied: the process that ran this cell ended {TRIES} times before it was done {how}".strip()
    return f"{reason}; is there enough memory?"


def end(run: str) -> None:
    """Kill a run's worker processes here, whatever they do. Its cells are not tried again."""
    with _LOCK:
        known = _RUNS.setdefault(run, _Run())
        known.ended = True
        workers, known.workers, known.idle = known.workers, [], []
    for worker in workers:
        worker.executor.shutdown(wait=True, kill_workers=True)
        worker.words.unlink(missing_ok=True)


def _end_all() -> None:
    for run in [*_RUNS]:
        end(run)


def _take(settings: WorkerSettings, target: str, first: int) -> _Worker:
    """An idle worker of this run, if possible one that did the target's last cells; else a new one."""
    with _LOCK:
        if not _RUNS:
            atexit.register(_end_all)  # a job that ends by itself
        run = _RUNS.setdefault(settings.run, _Run())
        if run.ended:
            raise CancelledError
        others = [(key, worker) for key, other in _RUNS.items() if key != settings.run for worker in other.idle]
        worker = next((one for one in run.idle if one.target == target), run.idle[0] if run.idle else None)
        if worker is None:
            numbers = {one.number for one in run.workers}
            worker = _new(settings, next(n for n in range(first, first + len(numbers) + 1) if n not in numbers))
            run.workers.append(worker)
        else:
            run.idle.remove(worker)
        worker.target = target
        for key, other in others:  # of an earlier run that a long-lived engine had
            _RUNS[key].idle.remove(other)
            _RUNS[key].workers.remove(other)
    for _, other in others:
        other.executor.shutdown(wait=True, kill_workers=True)
        other.words.unlink(missing_ok=True)
    return worker


def _new(settings: WorkerSettings, number: int) -> _Worker:
    from loky import ProcessPoolExecutor

    handle, words = tempfile.mkstemp(prefix="abstention-bench-", suffix=".txt")
    os.close(handle)
    gpus = visible_gpus(settings.device)
    executor = ProcessPoolExecutor(
        max_workers=1,
        initializer=begin,
        initargs=(settings, Path(words), os.getpid()),
        env={
            "LOKY_MAX_MEMORY_LEAK_SIZE": GROWTH,
            **({"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}),
        },
    )
    return _Worker(executor, number, Path(words))


def _put_back(settings: WorkerSettings, worker: _Worker) -> None:
    with _LOCK:
        run = _RUNS[settings.run]
        if worker in run.workers:
            run.idle.append(worker)


def _remove(settings: WorkerSettings, worker: _Worker) -> str:
    """Remove a worker whose process is dead or in an unknown state; returns its last words."""
    with _LOCK:
        run = _RUNS[settings.run]
        if run.ended:
            raise CancelledError
        run.workers.remove(worker)
    worker.executor.shutdown(wait=True, kill_workers=True)
    words = worker.words.read_text(encoding="utf-8", errors="replace").strip()
    worker.words.unlink(missing_ok=True)
    return words
