"""``--engine local``: worker processes of the run itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from typing import Any

from benchmark.running import host


class Local:
    """Threads of this process, each of which hosts one worker process.

    Args:
        run: names the run.
        workers: number of processes.
    """

    group_seconds = 0.0
    deaths: tuple[type[BaseException], ...] = (BrokenExecutor,)

    def __init__(self, run: str, workers: int) -> None:
        self._run, self._workers = run, workers
        self._threads = ThreadPoolExecutor(workers)

    def places(self) -> int:
        return self._workers

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        return self._threads.submit(function, *arguments)

    def shutdown(self) -> None:
        host.end(self._run)
        self._threads.shutdown(cancel_futures=True)
