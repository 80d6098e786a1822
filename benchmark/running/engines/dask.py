"""``--engine dask``: the workers of a ``dask.distributed`` cluster, each of which hosts worker processes of the run."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from benchmark.running import host
from benchmark.running.engines import missing
from targets import InputError

ALLOWED_FAILURES = 0
"""How often a cluster of our own tries a task again whose Dask worker died. The run does that itself."""

FRESH = 1.0
"""Seconds after which the number of the cluster's threads is asked for again."""


class Dask:
    """A cluster's threads.

    Args:
        run: names the run.
        workers: number of Dask workers, where the cluster is our own.
        scheduler: address of the cluster's scheduler; None for a cluster on this machine, which ends with the run.
    """

    group_seconds = 1.0

    def __init__(self, run: str, workers: int, scheduler: str | None) -> None:
        try:
            import dask
            from distributed import Client, KilledWorker, LocalCluster
        except ImportError:
            raise missing("dask", "distributed") from None
        self._run, self._cluster = run, None
        self.deaths: tuple[type[BaseException], ...] = (KilledWorker,)
        if scheduler is None:
            with dask.config.set({"distributed.scheduler.allowed-failures": ALLOWED_FAILURES}):
                self._cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    memory_limit=None,  # it would be the Dask worker's, and the cells' processes are others
                    dashboard_address="127.0.0.1:0",  # without, the port of every other cluster, on all interfaces
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                )
        try:
            self._client = Client(self._cluster or scheduler)
        except (OSError, ValueError) as error:
            raise InputError(f"--scheduler {scheduler}: {error}; is a Dask scheduler running there?") from error
        self._executor = self._client.get_executor(pure=False)
        self._threads, self._asked = 0, -FRESH

    def places(self) -> int:
        if time.monotonic() - self._asked >= FRESH:
            self._threads, self._asked = sum(self._client.nthreads().values()), time.monotonic()
        return self._threads

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        future: Future[Any] = self._executor.submit(_numbered, function, *arguments)
        return future

    def shutdown(self) -> None:
        with suppress(Exception):  # a cluster that is gone has ended what it ran
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._client.run(host.end, self._run)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _numbered(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a Dask worker. In a cluster of our own these are numbered, so that each takes its own GPU."""
    from distributed import get_worker

    # Dask marks its workers as daemons, which may have no children. They end with their parent all the same.
    multiprocessing.current_process()._config.pop("daemon", None)  # type: ignore[attr-defined]
    name = get_worker().name
    return function(*arguments, name if isinstance(name, int) else 0)
