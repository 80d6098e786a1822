"""Many SciPy optimisations side by side, their objectives evaluated as one batch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Evaluate = Callable[[FloatArray], tuple[float, FloatArray]]
"""A point → (value, gradient)."""


def lockstep(
    workers: Sequence[Callable[[Evaluate], None]],
    evaluate: Callable[[Sequence[int], FloatArray], tuple[FloatArray, FloatArray]],
) -> None:
    """Run each worker with an objective of its own, and evaluate the objectives of all as one batch.

    Each worker is an ordinary sequential optimisation in its own thread. When all that have not ended wait for a
    value, their points are evaluated together. Each gets what it would get alone, as long as ``evaluate`` treats rows
    independently.

    Args:
        workers: functions of an objective, which return when they are done.
        evaluate: (workers' numbers, points (B, D)) → (values (B,), gradients (B, D)).

    Raises:
        The first exception of ``evaluate`` or of a worker; the other workers are ended.
    """
    asked: queue.Queue[tuple[int, Any]] = queue.Queue()
    answers: list[queue.Queue[Any]] = [queue.Queue() for _ in workers]

    def work(number: int) -> None:
        def objective(point: FloatArray) -> tuple[float, FloatArray]:
            asked.put((number, np.array(point)))
            answer = answers[number].get()
            if isinstance(answer, BaseException):
                raise _Ended from answer
            return answer  # type: ignore[no-any-return]

        outcome: BaseException | None = None
        try:
            workers[number](objective)
        except BaseException as error:  # handed to the calling thread, which raises it
            outcome = error
        asked.put((number, outcome))

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(workers))]
    for thread in threads:
        thread.start()
    running = set(range(len(workers)))
    failure: BaseException | None = None
    while running:
        waiting: dict[int, FloatArray] = {}
        while running - waiting.keys():
            number, item = asked.get()
            if isinstance(item, np.ndarray):
                waiting[number] = item
                continue
            running.discard(number)
            if item is not None and not isinstance(item, _Ended):
                failure = failure or item
        order = sorted(waiting)
        if not order:
            break
        results: list[Any] = [failure] * len(order)
        if failure is None:
            try:
                values, gradients = evaluate(order, np.stack([waiting[i] for i in order]))
                results = [(float(v), g) for v, g in zip(values, gradients, strict=True)]
            except BaseException as error:  # Ctrl-C too: the workers must be told before it goes on
                failure = error
                results = [error] * len(order)
        for i, result in zip(order, results, strict=True):
            answers[i].put(result)
    for thread in threads:
        thread.join()
    if failure is not None:
        raise failure


class _Ended(Exception):
    """Ends a worker because something else failed."""
