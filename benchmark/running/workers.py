"""Worker processes, each with one thread and one cell at a time: loky's pool, which is one of ``concurrent.futures``.

Every worker has a pool of its own, so that one that dies takes no other's cell with it, and stays on a target as long
as that has cells, so that what it remembers of the target is of use. What cells share is computed by whoever needs it
first, under a lock of the store that the others wait for.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmark.cell import Cell, settings_key
from benchmark.plugins.loading import load_file, load_installed
from benchmark.running.best_of import BestOf
from benchmark.running.work import Done, Progress, Work
from benchmark.suite import Suite
from benchmark.terminal.console import tolerant
from benchmark.terminal.progress import Quiet, Stages
from leaderboard import Store
from leaderboard.stored.cell import Request
from targets import InputError, load

TRIES = 2
"""How often a cell is begun whose worker dies: killed from outside the first time, it may well be out of memory."""

WATCH = 1.0
"""Seconds between two looks of a worker at whether the run that started it is still there."""


@dataclass(frozen=True)
class Local:
    """Worker processes on this machine, and what each needs to know.

    Attributes:
        count: how many.
        results: the store's folder.
        plugins: files to load.
        quiet: whether workers say nothing of work that takes long.
    """

    count: int
    suite: Suite
    results: Path
    device: str
    request: Request
    plugins: tuple[Path, ...] = ()
    quiet: bool = False

    def executor(self) -> Any:
        """A pool of one worker: an ``Executor`` of ``concurrent.futures`` whose ``shutdown`` can kill."""
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(max_workers=1, initializer=_begin, initargs=(self,))


@dataclass(frozen=True)
class _Job:
    """A cell that a worker runs."""

    work: Work
    cell: Cell
    future: Future[Done]
    begun: float


@dataclass
class _Worker:
    """A pool of one process, what it does now, and the target that it worked on last."""

    executor: Any
    job: _Job | None = None
    last: Work | None = None

    def begin(self, work: Work, cell: Cell) -> None:
        """Hand it a cell."""
        future = self.executor.submit(_run, work.target.name, work.cells.index(cell), cell.settings())
        self.last, self.job = work, _Job(work, cell, future, time.perf_counter())


@dataclass
class _Queue:
    """The cells that are to be run, target by target."""

    works: Sequence[Work]
    left: dict[str, deque[Cell]] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)

    def add(self, cell: Cell, first: bool = False) -> None:
        """Put in a cell, before the others of its target or behind them."""
        cells = self.left.setdefault(cell.target.name, deque())
        cells.appendleft(cell) if first else cells.append(cell)
        self.unfinished.add(cell.key)

    def take(self, last: Work | None, busy: Sequence[Work]) -> tuple[Work, Cell] | None:
        """A cell for a worker: of its last target, else of one that nobody works on, else of the one with most left."""

        def order(work: Work) -> tuple[bool, bool, int]:
            return work is not last, work in busy, -len(self.left.get(work.target.name, ()))

        for work in sorted(self.works, key=order):
            cells = self.left.get(work.target.name, deque())
            for cell in cells:
                if not (isinstance(cell, BestOf) and any(one.key in self.unfinished for one in cell.members)):
                    cells.remove(cell)
                    return work, cell
        return None


def run_in_workers(works: Sequence[Work], local: Local, progress: Progress, add: Callable[[Done], None]) -> None:
    """Run the missing cells of several targets.

    A cell whose worker dies is begun once more, and failed with that reason if it happens again.

    Args:
        add: called with what became of each cell, held ones too.
    """
    queue, finished, deaths = _Queue(works), 0, Counter[str]()

    def finish(cell: Cell, done: Done) -> None:
        nonlocal finished
        finished += 1
        queue.unfinished.discard(cell.key)
        add(done)
        progress.start(cell, finished)
        progress.finish(cell, done.seconds, done.status, done.abstention_rate, done.invalid)

    for work in works:
        for cell in work.cells:
            done = work.held(cell)
            if done is None:
                queue.add(cell)
            else:
                finish(cell, done)
    workers: list[_Worker] = []
    try:
        while queue.unfinished:
            if len(workers) < min(local.count, len(queue.unfinished)) and all(worker.job for worker in workers):
                workers.append(_Worker(local.executor()))
            for worker in workers:
                busy = [other.job.work for other in workers if other.job]
                if worker.job is None and (taken := queue.take(worker.last, busy)):
                    worker.begin(*taken)
                    progress.start(taken[1], finished + 1)
            starting = len(workers) < min(local.count, len(queue.unfinished))
            jobs = [worker.job for worker in workers if worker.job]
            wait([job.future for job in jobs], 0 if starting else WATCH / 2, FIRST_COMPLETED)
            progress.tick()
            for worker in workers:
                if worker.job and worker.job.future.done():
                    _collect(worker, worker.job, local, queue, deaths, finish)
    finally:
        for worker in workers:
            worker.executor.shutdown(wait=True, kill_workers=True)


def _collect(
    worker: _Worker,
    job: _Job,
    local: Local,
    queue: _Queue,
    deaths: Counter[str],
    finish: Callable[[Cell, Done], None],
) -> None:
    """Take what became of a worker's cell; what it raises, beside dying, is not of the cell and ends the run."""
    worker.job = None
    try:
        finish(job.cell, job.future.result())
    except BrokenExecutor as error:
        worker.executor.shutdown(wait=True, kill_workers=True)
        worker.executor = local.executor()
        deaths[job.cell.key] += 1
        if deaths[job.cell.key] < TRIES:
            queue.add(job.cell, first=True)
            return
        how = str(error).partition("exit codes of the workers are ")[2].partition("\n")[0].strip()
        reason = f"WorkerDied: the process that ran this cell ended {TRIES} times before it was done {how}".strip()
        seconds = time.perf_counter() - job.begun
        finish(job.cell, job.work.fail(job.cell, f"{reason}; is there enough memory?", seconds))


_WORK: dict[str, Work] = {}
"""In a worker process: what it does on each target that it was given cells of."""

_LOCAL: list[Local] = []

_OUTPUT = ExitStack()
"""Keeps standard output and error out of the reach of attacks, as long as the process lives."""


def _begin(local: Local) -> None:
    """Make a fresh process ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal's Ctrl-C the run itself hears, and ends its workers
    _OUTPUT.enter_context(tolerant())
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    torch.set_num_threads(1)
    load_installed()
    for path in local.plugins:
        load_file(path)
    _LOCAL.append(local)


def _end_with(parent: int) -> None:
    """End this process once the run that started it is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


def _run(target: str, number: int, settings: dict[str, Any]) -> Done:
    """In a worker: run a target's cell, given by its place among the target's cells.

    Args:
        settings: what it has in the process that started the run.

    Raises:
        InputError: it has others here, so that each worker would run another experiment.
    """
    [local] = _LOCAL
    if target not in _WORK:
        store = Store.open(local.results, settings_key)
        progress = Quiet() if local.quiet else Stages()
        _WORK[target] = Work(local.suite, load(target, local.device), store, local.request, progress)
    work = _WORK[target]
    cell = work.cells[number]
    _check_same(settings, cell.settings())
    work.progress.start(cell, number + 1)
    return work.run(cell)


def _check_same(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    if settings_key(ours) == settings_key(theirs):
        return
    if ours.get("content") != theirs.get("content"):
        raise InputError(
            f"data set {ours['data']!r} gives other images or labels each time it is loaded; seed its generator"
        )
    differ = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    raise InputError(
        f"target {ours['target']!r}, attack {ours['attack']!r}: another {', '.join(differ)} each time it is loaded; "
        "seed what its code draws, and edit no plugin while a run begins"
    )
