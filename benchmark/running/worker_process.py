"""A worker process: one cell at a time."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import torch

from benchmark.key import settings_key
from benchmark.plugins.loading import load_file, load_installed
from benchmark.running.hardware import usable_cores
from benchmark.running.limits import Limits
from benchmark.running.work import Done, Work, is_small
from benchmark.suite import Suite
from benchmark.terminal.console import tolerant
from benchmark.terminal.progress import Quiet, Stages
from leaderboard import Store
from leaderboard.stored.cell import Request
from targets import InputError, load
from targets.data import cifar10

WATCH = 1.0
"""Seconds between two checks of a worker that the run which started it still lives."""

PR_SET_PDEATHSIG = 1
"""Linux's: which signal a process gets when its parent ends."""


@dataclass(frozen=True)
class WorkerSettings:
    """What each worker process of a run needs to know. Paths are absolute: other machines know them by the same names.

    Attributes:
        results: the store's folder.
        plugins: files to load.
        data: the folder of CIFAR-10; None where the user gave none.
        quiet: whether the worker prints no progress of long work.
        threads: of each worker process on large images; 0 for as many as there are cores where it runs.
        limits: of each attack's call.
        run: names the run among all.
    """

    suite: Suite
    results: Path
    device: str
    request: Request
    plugins: tuple[Path, ...] = ()
    data: Path | None = None
    quiet: bool = False
    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    run: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass
class _Process:
    """What a worker process has: its settings, where it leaves its last words, and its work by target."""

    settings: WorkerSettings
    words: TextIO
    works: dict[str, Work] = field(default_factory=dict)


_PROCESS: list[_Process] = []

_OUTPUT = ExitStack()
"""Protects standard output and error from attacks as long as the process lives."""


def begin(settings: WorkerSettings, words: Path, parent: int) -> None:
    """Make a fresh process ready.

    Args:
        words: the file in which it says what it was doing when it crashed or its time was up.
        parent: the process that started this one; it may be gone already.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C also reaches the run, which ends its workers
    _OUTPUT.enter_context(tolerant())
    _end_with_parent(parent)
    file = open(words, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process lives
    faulthandler.enable(file)
    cifar10.use_folder(settings.data)
    load_installed()
    for path in settings.plugins:
        load_file(path)
    _PROCESS.append(_Process(settings, file))


def _end_with_parent(parent: int) -> None:
    """End this process once the one that started it is gone, however that ended."""
    if sys.platform == "linux":  # there the system does it, whatever an attack does here
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before this process could ask to be told
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


def run_in_worker(target: str, number: int, theirs: dict[str, Any], waits: bool = True) -> Done:
    """In a worker: run a target's cell, given by its position among the target's cells.

    Args:
        theirs: the cell's settings in the process that started the run.
        waits: see :meth:`Work.run`.

    Raises:
        InputError: the cell has other settings here, so that each worker would run another experiment.
    """
    [process] = _PROCESS
    settings = process.settings
    if target not in process.works:
        store = Store.read(settings.results, settings_key)
        progress = Quiet() if settings.quiet else Stages()
        loaded = load(target, settings.device)
        process.works[target] = Work(
            settings.suite, loaded, store, settings.request, progress, settings.limits, process.words
        )
    work = process.works[target]
    torch.set_num_threads(1 if is_small(work.target) else settings.threads or usable_cores())
    cell = work.cells[number]
    check_same(theirs, cell.settings())
    work.progress.start(cell, number + 1)
    return work.run(cell, waits)


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
