"""The run of a suite: each cell that the store does not hold yet, in this process or in several."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from attacks import ATTACKS
from benchmark.cell import budgets
from benchmark.running.best_of import count_best_of
from benchmark.running.work import Done, Progress, Work
from benchmark.suite import Suite
from benchmark.terminal.notices import announce
from benchmark.terminal.progress import Quiet
from leaderboard import Store
from leaderboard.stored.cell import Request
from targets import DATA, SmoothedClassifier, load
from targets.arithmetic import SMALL

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
) -> Summary:
    """Run a suite's missing cells and store each.

    If an attack raises, its cell is stored as failed and the others go on. The next run tries failed cells again.

    Args:
        options: of the command that asks for the cells, which each cell records.
        workers: number of processes, each with one thread; 1 for this process alone. None for one a core if images are
            small and many cells are missing, else 1. Records do not depend on it.
        plugins: files that this process has loaded and worker processes have to load.
        data: the folder of CIFAR-10 that this process uses and worker processes have to use; None without ``--data``.
    """
    # All first: a last target with damaged weights should not be found after hours.
    loaded = [load(name, device) for name in suite.target_names()]
    for target in loaded:
        announce(target)
    request = Request(images=suite.images, options=list(options))
    works = [Work(suite, target, store, request, progress) for target in loaded]
    summary = Summary()
    workers = workers or worker_count(works)
    if workers > 1:
        from benchmark.running.worker_process import WorkerSettings
        from benchmark.running.workers import run_in_workers

        progress.workers = workers
        quiet = isinstance(progress, Quiet)
        settings = WorkerSettings(suite, store.folder, device, request, tuple(plugins), data, quiet)
        run_in_workers(works, workers, settings, progress, summary.add)
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


def is_small(target: SmoothedClassifier) -> bool:
    """Whether its images are so small that a second thread gains nothing."""
    return math.prod(DATA[target.data].shape) <= SMALL


def worker_count(works: Sequence[Work]) -> int:
    """One process a core while each has enough cells to run; 1 where one image's work fills all cores."""
    if not all(work.target.device.type == "cpu" and is_small(work.target) for work in works):
        return 1
    held = [cell.held(work.store) for work in works for cell in work.cells]
    missing = sum(cell is None or cell.status != "ok" for cell in held)
    return max(1, min(usable_cores(), missing // WORTH_WORKERS))


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
