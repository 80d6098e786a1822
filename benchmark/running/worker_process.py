"""A worker process: one thread, one cell at a time."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmark.cell import settings_key
from benchmark.plugins.loading import load_file, load_installed
from benchmark.running.work import Done, Work
from benchmark.suite import Suite
from benchmark.terminal.console import tolerant
from benchmark.terminal.progress import Quiet, Stages
from leaderboard import Store
from leaderboard.stored.cell import Request
from targets import InputError, cifar10, load

WATCH = 1.0
"""Seconds between two checks of a worker that the run which started it still lives."""


@dataclass(frozen=True)
class WorkerSettings:
    """What each worker process of a run needs to know.

    Attributes:
        results: the store's folder.
        plugins: files to load.
        data: the folder of CIFAR-10; None where the user gave none.
        quiet: whether the worker prints no progress of long work.
    """

    suite: Suite
    results: Path
    device: str
    request: Request
    plugins: tuple[Path, ...] = ()
    data: Path | None = None
    quiet: bool = False

    def executor(self) -> Any:
        """A pool of one worker: an ``Executor`` of ``concurrent.futures`` whose ``shutdown`` can kill."""
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(max_workers=1, initializer=_begin, initargs=(self,))


_WORK: dict[str, Work] = {}
"""In a worker process: its work on each target that it was given cells of."""

_SETTINGS: list[WorkerSettings] = []

_OUTPUT = ExitStack()
"""Protects standard output and error from attacks as long as the process lives."""


def _begin(settings: WorkerSettings) -> None:
    """Make a fresh process ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C also reaches the run, which ends its workers
    _OUTPUT.enter_context(tolerant())
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    torch.set_num_threads(1)
    cifar10.use_folder(settings.data)
    load_installed()
    for path in settings.plugins:
        load_file(path)
    _SETTINGS.append(settings)


def _end_with(parent: int) -> None:
    """End this process once the run that started it is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


def run_in_worker(target: str, number: int, theirs: dict[str, Any]) -> Done:
    """In a worker: run a target's cell, given by its position among the target's cells.

    Args:
        theirs: the cell's settings in the process that started the run.

    Raises:
        InputError: the cell has other settings here, so that each worker would run another experiment.
    """
    [settings] = _SETTINGS
    if target not in _WORK:
        store = Store.open(settings.results, settings_key)
        progress = Quiet() if settings.quiet else Stages()
        _WORK[target] = Work(settings.suite, load(target, settings.device), store, settings.request, progress)
    work = _WORK[target]
    cell = work.cells[number]
    check_same(theirs, cell.settings())
    work.progress.start(cell, number + 1)
    return work.run(cell)


def check_same(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Raise :class:`InputError` where a cell's settings in two processes give different keys."""
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
