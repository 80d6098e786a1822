"""Worker processes, each with one thread and one cell at a time.

Every worker has a process pool of its own (loky's, an ``Executor`` of ``concurrent.futures``), so that a worker that
dies takes no other's cell with it. A worker stays on a target while that has cells, so that its cache is of use. What
cells share is computed by the worker that needs it first, under a lock of the store; the others wait for it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from typing import Any

from benchmark.cell import Cell
from benchmark.running.cell_queue import CellQueue
from benchmark.running.work import Done, Progress, Work
from benchmark.running.worker_process import WATCH, WorkerSettings, run_in_worker

TRIES = 2
"""How often a cell is tried whose worker dies. The first death may have been for want of memory, beside other cells."""


@dataclass(frozen=True)
class _Job:
    """A cell that a worker runs."""

    work: Work
    cell: Cell
    future: Future[Done]
    begun: float


@dataclass
class _Worker:
    """A pool of one process, its current job, and what it did last."""

    executor: Any
    job: _Job | None = None
    last: Work | None = None

    def begin(self, work: Work, cell: Cell) -> None:
        """Hand it a cell."""
        future = self.executor.submit(run_in_worker, work.target.name, work.cells.index(cell), cell.settings())
        self.last, self.job = work, _Job(work, cell, future, time.perf_counter())


def run_in_workers(
    works: Sequence[Work], count: int, settings: WorkerSettings, progress: Progress, add: Callable[[Done], None]
) -> None:
    """Run the missing cells of several targets.

    A cell whose worker dies is tried once more. If that worker dies too, the cell has failed for that reason.

    Args:
        count: most processes.
        add: called with what became of each cell, stored ones included.
    """
    queue, finished, deaths = CellQueue(works), 0, Counter[str]()

    def finish(cell: Cell, done: Done) -> None:
        nonlocal finished
        finished += 1
        queue.unfinished.discard(cell.key)
        add(done)
        progress.start(cell, finished)
        progress.finish(cell, done.seconds, done.status, done.abstention_rate, done.broken)

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
            if len(workers) < min(count, len(queue.unfinished)) and all(worker.job for worker in workers):
                workers.append(_Worker(settings.executor()))
            for worker in workers:
                busy = [other.job.work for other in workers if other.job]
                if worker.job is None and (taken := queue.take(worker.last, busy)):
                    worker.begin(*taken)
                    progress.start(taken[1], finished + 1)
            starting = len(workers) < min(count, len(queue.unfinished))
            jobs = [worker.job for worker in workers if worker.job]
            wait([job.future for job in jobs], 0 if starting else WATCH / 2, FIRST_COMPLETED)
            progress.tick()
            for worker in workers:
                if worker.job and worker.job.future.done():
                    _collect(worker, worker.job, settings, queue, deaths, finish)
    finally:
        for worker in workers:
            worker.executor.shutdown(wait=True, kill_workers=True)


def _collect(
    worker: _Worker,
    job: _Job,
    settings: WorkerSettings,
    queue: CellQueue,
    deaths: Counter[str],
    finish: Callable[[Cell, Done], None],
) -> None:
    """Take what became of a worker's cell. An exception other than the worker's death ends the run."""
    worker.job = None
    try:
        finish(job.cell, job.future.result())
    except BrokenExecutor as error:
        worker.executor.shutdown(wait=True, kill_workers=True)
        worker.executor = settings.executor()
        deaths[job.cell.key] += 1
        if deaths[job.cell.key] < TRIES:
            queue.add(job.cell, first=True)
            return
        how = str(error).partition("exit codes of the workers are ")[2].partition("\n")[0].strip()
        reason = f"WorkerDied: the process that ran this cell ended {TRIES} times before it was done {how}".strip()
        seconds = time.perf_counter() - job.begun
        finish(job.cell, job.work.fail(job.cell, f"{reason}; is there enough memory?", seconds))
