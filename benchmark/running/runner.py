"""The run: each cell that the store does not hold yet, in this process or in several."""

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
"""Missing cells for each worker process, below which starting them takes longer than they save."""


@dataclass
class Summary:
    """What a run did: the keys of its cells, and how many were run, held already, failed, and left out.

    Of those held, ``renewed`` got new ceilings. ``new`` are the target and attack of each that was run.
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
) -> Summary:
    """Run a suite's missing cells and store each.

    Every cell records that it was asked for, by a command of such ``options``. An attack that raises is stored as a
    failed cell, which the next run tries again; the others go on.

    Args:
        workers: processes, each with one thread; 1 for this one. None for as many as there are cores, where images are
            small and many cells are missing, else 1. Records do not depend on it.
        plugins: files that a worker process loads, as this one did.
    """
    # All first: the last target's damaged weights should not be found after hours.
    loaded = [load(name, device) for name in suite.target_names()]
    for target in loaded:
        announce(target)
    request = Request(images=suite.images, options=list(options))
    works = [Work(suite, target, store, request, progress) for target in loaded]
    summary = Summary()
    workers = workers or _workers(works)
    if workers > 1:
        from benchmark.running.workers import Local, run_in_workers

        progress.workers = workers
        local = Local(workers, suite, store.folder, device, request, tuple(plugins), quiet=isinstance(progress, Quiet))
        run_in_workers(works, local, progress, summary.add)
        return summary
    threads = torch.get_num_threads()
    try:
        for work in works:
            torch.set_num_threads(1 if _small(work.target) else threads)
            for position, cell in enumerate(work.cells, start=len(summary.keys) + 1):
                progress.start(cell, position)
                done = work.held(cell) or work.run(cell)
                summary.add(done)
                progress.finish(cell, done.seconds, done.status, done.abstention_rate, done.invalid)
    finally:
        torch.set_num_threads(threads)
    return summary


def _small(target: SmoothedClassifier) -> bool:
    """Whether a second thread has nothing to do on its images."""
    return math.prod(DATA[target.data].shape) <= SMALL


def _workers(works: Sequence[Work]) -> int:
    """As many as there are cores, as far as there is enough to do for each; 1 where one image's work fills them all."""
    if not all(work.target.device.type == "cpu" and _small(work.target) for work in works):
        return 1
    held = [cell.held(work.store) for work in works for cell in work.cells]
    missing = sum(cell is None or cell.status != "ok" for cell in held)
    return max(1, min(_cores(), missing // WORTH_WORKERS))


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
