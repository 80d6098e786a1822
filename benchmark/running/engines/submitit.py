"""``--engine submitit``: jobs of a Slurm cluster, each of which runs a group of cells."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmark.running.engines import EngineChoice, missing
from leaderboard.errors import StoreError
from targets import InputError
from targets.errors import TargetError

FOLDER = "jobs"
"""Where submitit keeps its scripts and logs, in the results folder."""

POLL = 1.0
"""Seconds between two looks whether a job is done."""


class Submitit:
    """Jobs of submitit's executor.

    Args:
        workers: most jobs at a time.
        folder: where submitit keeps its scripts and logs. All machines must see it.
        choice: ``cluster`` of its options is "slurm" (default) or "local", for processes of this machine. The others
            are handed to submitit: ``slurm_partition``, ``timeout_min`` and so on.
    """

    group_seconds = 600.0

    def __init__(self, workers: int, folder: Path, choice: EngineChoice) -> None:
        try:
            import submitit
            from submitit.core.utils import UncompletedJobError
        except ImportError:
            raise missing("submitit", "submitit") from None
        self.deaths: tuple[type[BaseException], ...] = (UncompletedJobError,)
        options = dict(choice.options)
        try:
            self._executor = submitit.AutoExecutor(folder, cluster=options.pop("cluster", "slurm"))
            self._executor.update_parameters(**options)
        except (RuntimeError, ValueError, TypeError, NameError, AssertionError) as error:
            raise InputError(f"--engine submitit: {error}") from error
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers)
        self._jobs: set[Any] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def places(self) -> int:
        return self._workers

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        return self._threads.submit(self._wait, function, *arguments)

    def shutdown(self) -> None:
        self._ended.set()
        with self._lock:
            for job in self._jobs:
                with suppress(Exception):
                    job.cancel(check=False)
        self._threads.shutdown(cancel_futures=True)

    def _wait(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self._lock:
            job = self._executor.submit(_called, function, *arguments)
            self._jobs.add(job)
        while not job.done():  # submitit's own waiting cannot be ended
            if self._ended.wait(POLL):
                raise CancelledError
        result, error = job.result()
        with self._lock:
            self._jobs.discard(job)
        if error is not None:
            raise error
        return result


def _called(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Exception | None]:
    """What a function returns or raises, in a job. submitit hands on only the text of an exception."""
    try:
        return function(*arguments), None
    except (InputError, StoreError, TargetError) as error:
        return None, error
