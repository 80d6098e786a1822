"""The run of a suite: each cell that the store does not hold yet, in this process or in several."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from attacks import ATTACKS
from benchmark.cell import budgets
from benchmark.running.best_of import count_best_of
from benchmark.running.engines import Engine, EngineChoice
from benchmark.running.hardware import usable_cores
from benchmark.running.limits import Limits
from benchmark.running.work import Done, Progress, Work, is_small
from benchmark.suite import Suite
from benchmark.terminal.notices import announce
from benchmark.terminal.progress import Quiet
from leaderboard import Store
from leaderboard.stored.cell import Request
from targets import InputError, load

if TYPE_CHECKING:
    from benchmark.running.worker_process import WorkerSettings

WORTH_WORKERS = 20
"""Missing cells for each worker process. With fewer, starting a process takes longer than it saves."""


@dataclass
class Summary:
    """What a run did.

    Attributes:
        keys: of all its cells.
        new: target and attack of each cell that was run.
        ran, stored, failed, left_out: number of cells that were run, that the store had, that failed, and that could
            not be run.
        renewed: number of stored cells that got new ceilings.
    """

    keys: list[str] = field(default_factory=list)
    new: set[tuple[str, str]] = field(default_factory=set)
    ran: int = 0
    stored: int = 0
    renewed: int = 0
    failed: int = 0
    left_out: int = 0

    def add(self, done: Done) -> None:
        """Count one cell."""
        self.keys.append(done.key)
        self.ran += done.status == "ok"
        self.stored += done.status == "stored"
        self.renewed += done.renewed
        self.failed += done.status == "failed"
        self.left_out += done.status == "left out"
        if done.status == "ok":
            self.new.add((done.target, done.attack))


def count_cells(suite: Suite) -> int:
    """How many cells a suite has."""
    shards = -(-suite.images // suite.shard)
    attacks = sum(len(budgets(suite, ATTACKS[name].access)) for name in suite.attack_names()) + count_best_of(suite)
    return len(suite.target_names()) * attacks * len(suite.epsilons) * shards


def run(
    suite: Suite,
    store: Store,
    device: str,
    progress: Progress,
    options: Sequence[str] = (),
    workers: int | None = 1,
    plugins: Sequence[Path] = (),
    data: Path | None = None,
    engine: EngineChoice | None = None,
    limits: Limits | None = None,
) -> Summary:
    """Run a suite's missing cells and store each.

    If an attack raises, its cell is stored as failed and the others go on. The next run tries failed cells again.

    Args:
        options: of the command that asks for the cells, which each cell records.
        workers: number of worker processes; 0 for this process alone. None for one a GPU, or one a core if images are
            small and many cells are missing, else 1. A single one is started only where there are plugins, whose
            attacks may do anything, limits or another engine. Records do not depend on it.
        plugins: files that this process has loaded and worker processes have to load.
        data: the folder of CIFAR-10 that this process uses and worker processes have to use; None without ``--data``.
        engine: where cells run; None for worker processes of this machine.
        limits: of each attack's call; None for none.

    Raises:
        InputError: the engine's library is missing, or its options are wrong.
    """
    engine, limits = engine or EngineChoice(), limits or Limits()
    if workers == 0 and (engine.name != "local" or limits):
        raise InputError("--workers is 0, this process alone; engines and limits need 1 or more")
    # All first: a last target with damaged weights should not be found after hours.
    loaded = [load(name, device) for name in suite.target_names()]
    for target in loaded:
        announce(target)
    request = Request(images=suite.images, options=list(options))
    works = [Work(suite, target, store, request, progress) for target in loaded]
    summary = Summary()
    workers = worker_count(works) if workers is None else workers
    if workers > 1 or (workers == 1 and (plugins or limits or engine.name != "local")):
        from benchmark.running.dispatch import dispatch
        from benchmark.running.worker_process import WorkerSettings

        progress.workers = workers
        settings = WorkerSettings(
            suite,
            store.folder.absolute(),
            device,
            request,
            tuple(path.absolute() for path in plugins),
            data and data.absolute(),
            quiet=isinstance(progress, Quiet),
            threads=_threads(engine, works, workers),
            limits=limits,
        )
        try:
            with started(engine, settings, workers) as running:
                dispatch(works, running, settings, progress, summary.add)
        finally:
            with suppress(OSError):  # the next run sweeps, too
                store.sweep()  # a worker that was ended may have been writing
        return summary
    threads = torch.get_num_threads()
    try:
        for work in works:
            torch.set_num_threads(1 if is_small(work.target) else threads)
            for position, cell in enumerate(work.cells, start=len(summary.keys) + 1):
                progress.start(cell, position)
                done = work.held(cell) or work.run(cell)
                summary.add(done)
                progress.finish(cell, done.seconds, done.status, done.abstention_rate, done.broken)
    finally:
        torch.set_num_threads(threads)
    return summary


@contextmanager
def started(choice: EngineChoice, settings: WorkerSettings, workers: int) -> Iterator[Engine]:
    """The engine that was asked for; afterwards nothing runs there any more."""
    engine: Engine
    if choice.name == "dask":
        from benchmark.running.engines.dask import Dask

        engine = Dask(settings.run, workers, choice.scheduler)
    elif choice.name == "submitit":
        from benchmark.running.engines.submitit import FOLDER, Submitit

        engine = Submitit(workers, settings.results / FOLDER, choice)
    else:
        from benchmark.running.engines.local import Local

        engine = Local(settings.run, workers)
    try:
        yield engine
    finally:
        with _uninterrupted():  # a second Ctrl-C must not leave workers behind
            engine.shutdown()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM inside. Only the main thread gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _threads(engine: EngineChoice, works: Sequence[Work], workers: int) -> int:
    """Of each worker process, on large images; 0 for as many as there are cores where it runs."""
    if engine.name == "submitit":
        return 0
    if engine.name == "local" and workers == 1:
        return torch.get_num_threads()
    if engine.name == "local" and any(work.target.device.type == "cuda" for work in works):
        return max(1, usable_cores() // workers)  # they draw the noise
    return 1


def worker_count(works: Sequence[Work]) -> int:
    """One process a GPU, or one a core while each has enough cells to run; 1 where one image's work fills all cores."""
    held = [cell.held(work.store) for work in works for cell in work.cells]
    missing = sum(cell is None or cell.status != "ok" for cell in held)
    if all(work.target.device.type == "cuda" for work in works):
        return max(1, min(torch.cuda.device_count(), missing))
    if not all(work.target.device.type == "cpu" and is_small(work.target) for work in works):
        return 1
    return max(1, min(usable_cores(), missing // WORTH_WORKERS))
