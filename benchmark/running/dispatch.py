"""Hands a run's missing cells to an engine, and takes what became of them.

What cells share is computed by the worker that needs it first, under a lock of the store. Another cell that needs it
meanwhile comes back, and is sent again once there is nothing else to do. Only then may it wait in its worker.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace

from benchmark.cell import Cell
from benchmark.running.cell_queue import CellQueue
from benchmark.running.engines import Engine
from benchmark.running.host import TRIES, Death, run_hosted
from benchmark.running.work import Done, Progress, Work
from benchmark.running.worker_process import WATCH, WorkerSettings

ROUNDS = 4
"""Cells that are sent together are at most this part of what each place has left, so that all places end together."""


WORTH = 10
"""What is sent together may take this part of the engine's time for it, even if another place then gets nothing."""


class _Times:
    """Seconds of cells so far, by attack."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._seconds: dict[str, float] = defaultdict(float)

    def add(self, attack: str, seconds: float) -> None:
        for name in (attack, ""):
            self._counts[name] += 1
            self._seconds[name] += seconds

    def mean(self, attack: str = "") -> float | None:
        """Of one attack, or of all; None before any is known."""
        return self._seconds[attack] / self._counts[attack] if self._counts[attack] else None


@dataclass(frozen=True)
class _Job:
    """Cells of a target that were sent together."""

    work: Work
    cells: list[Cell]
    future: Future[list[Done | Death]]
    begun: float


@dataclass
class _Dispatch:
    """The state of a run.

    Attributes:
        add: is called with what became of each cell, stored ones included.
        jobs: by place.
        last: what each place did last.
        deaths: by key, how often whatever had a cell ended.
        times: of cells that are done.
    """

    engine: Engine
    settings: WorkerSettings
    progress: Progress
    add: Callable[[Done], None]
    queue: CellQueue
    jobs: dict[int, _Job] = field(default_factory=dict)
    last: dict[int, Work] = field(default_factory=dict)
    deaths: Counter[str] = field(default_factory=Counter)
    times: _Times = field(default_factory=_Times)
    finished: int = 0

    def finish(self, cell: Cell, done: Done) -> None:
        """A cell is done, or was held."""
        self.finished += 1
        self.queue.unfinished.discard(cell.key)
        if done.status in ("ok", "stored"):
            self.times.add(cell.attack_name, done.seconds)
        self.add(done)
        self.progress.start(cell, self.finished)
        self.progress.finish(cell, done.seconds, done.status, done.abstention_rate, done.broken)

    def send(self) -> None:
        """Give every free place cells."""
        places = self.engine.places()
        for place in range(places):
            if place in self.jobs:
                continue
            taken = self.queue.take(self.last.get(place), [job.work for job in self.jobs.values()])
            if taken is None:
                return
            work, cells = taken[0], self._group(*taken, places)
            put_off = self.queue.put_off
            ordered = [(work.cells.index(cell), cell.settings(), cell.key in put_off) for cell in cells]
            future = self.engine.submit(run_hosted, self.settings, work.target.name, ordered)
            self.jobs[place], self.last[place] = _Job(work, cells, future, time.perf_counter()), work
            self.progress.start(cells[0], self.finished + 1)

    def _group(self, work: Work, first: Cell, places: int) -> list[Cell]:
        """A cell, and others of its target that are small enough to be sent with it.

        Among cells of unknown cost their number decides. A cell that already ended what had it is sent alone.
        """
        cells, waiting = [first], self.queue.count_waiting()
        share = waiting / (ROUNDS * places)
        seconds = self.times.mean(first.attack_name)
        while waiting and self.engine.group_seconds and not self.deaths[first.key]:
            if seconds is None:
                full = len(cells) > share
            else:
                left = share * (self.times.mean() or 0.0)
                full = seconds >= min(self.engine.group_seconds, max(left, self.engine.group_seconds / WORTH))
            if full or (cell := self.queue.take_of(work)) is None:
                break
            cells.append(cell)
            more = self.times.mean(cell.attack_name)
            seconds = None if seconds is None or more is None else seconds + more
        return cells

    def collect(self) -> None:
        """Take what became of cells. An exception that is no death ends the run."""
        for place, job in [*self.jobs.items()]:
            if not job.future.done():
                continue
            del self.jobs[place]
            try:
                results = job.future.result()
            except self.engine.deaths as error:
                self._died(job, error)
                continue
            for cell, result in zip(job.cells, results, strict=True):
                if isinstance(result, Death):
                    result = job.work.fail(cell, result.reason, result.seconds)
                if result.status == "put off":
                    self.queue.put_off.add(cell.key)
                    self.queue.add(cell)
                else:
                    self.finish(cell, result)

    def _died(self, job: _Job, error: BaseException) -> None:
        """What had the cells has ended, and nobody knows at which of them: each that is not stored is tried alone."""
        for cell in reversed(job.cells):
            if (done := job.work.held(cell)) is not None:
                self.finish(cell, replace(done, status="ok"))
                continue
            self.deaths[cell.key] += 1
            if self.deaths[cell.key] < TRIES:
                self.queue.add(cell, first=True)
                continue
            reason = f"WorkerDied: what ran this cell ended {TRIES} times before it was done: {type(error).__name__}"
            self.finish(cell, job.work.fail(cell, f"{error}\n{reason}", time.perf_counter() - job.begun))


def dispatch(
    works: Sequence[Work], engine: Engine, settings: WorkerSettings, progress: Progress, add: Callable[[Done], None]
) -> None:
    """Run the missing cells of several targets. Cells that the store holds are not sent.

    Args:
        add: called with what became of each cell, stored ones included.
    """
    state = _Dispatch(engine, settings, progress, add, CellQueue(works))
    for work in works:
        for cell in work.cells:
            done = work.held(cell)
            if done is None:
                state.queue.add(cell)
            else:
                state.finish(cell, done)
    while state.queue.unfinished:
        state.send()
        if state.jobs:
            wait([job.future for job in state.jobs.values()], WATCH / 2, FIRST_COMPLETED)
        else:
            time.sleep(WATCH / 2)  # a cluster that has no workers yet
        progress.tick()
        state.collect()
