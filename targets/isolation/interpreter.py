"""State that Python and the system keep once a process: signals, timers, standard streams, tracing and error hooks.

It is put back after user code.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from targets.isolation.state import State, attribute

SMALLEST = 5e-324
"""The smallest float above 0. It reads as 0 while the processor flushes such numbers to 0."""


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _handle(before: dict[int, Any]) -> None:
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        return
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


def _masks() -> Iterator[State]:
    if hasattr(signal, "pthread_sigmask"):
        yield State(
            partial(signal.pthread_sigmask, signal.SIG_BLOCK, ()), partial(signal.pthread_sigmask, signal.SIG_SETMASK)
        )


def _timers() -> Iterator[State]:
    """Alarms. One that was set before user code still rings at its time."""
    if hasattr(signal, "setitimer"):
        for kind, clock in {
            signal.ITIMER_REAL: time.monotonic,
            signal.ITIMER_VIRTUAL: lambda: os.times().user,
            signal.ITIMER_PROF: time.process_time,
        }.items():
            yield State(partial(_timer, kind, clock), partial(_set_timer, kind, clock))


def _timer(kind: int, clock: Callable[[], float]) -> tuple[float, float] | None:
    """When the timer rings next, by its clock, and its interval from then on; None if it is off."""
    left, interval = signal.getitimer(kind)
    return (clock() + left, interval) if left else None


def _set_timer(kind: int, clock: Callable[[], float], before: tuple[float, float] | None) -> None:
    end, interval = before or (0.0, 0.0)
    left = end - clock()
    signal.setitimer(kind, left if before and left > 0 else interval, interval)  # a single alarm that has rung is over


def _closed() -> set[int]:
    """The file descriptors among 0, 1 and 2 that are closed."""
    return {number for number in (0, 1, 2) if not _is_open(number)}


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _open_others(before: set[int]) -> None:
    """Open the null device for descriptors closed since. Otherwise the next opened file would get their number."""
    for number in _closed() - before:
        nothing = os.open(os.devnull, os.O_RDWR)
        if nothing != number:
            os.dup2(nothing, number)
            os.close(nothing)


def _set_collecting(on: bool) -> None:
    (gc.enable if on else gc.disable)()


def _set_denormals(flushed: bool) -> None:
    import torch

    torch.set_flush_denormal(flushed)


INTERPRETER = (
    State(_handlers, _handle),
    *_masks(),
    *_timers(),  # after the handlers, so put back before them: an alarm must not reach user code's handler
    State(_closed, _open_others),
    attribute(sys, "stdin"),
    attribute(sys, "stdout"),
    attribute(sys, "stderr"),
    *(attribute(sys, name) for name in ("excepthook", "unraisablehook", "displayhook")),
    attribute(threading, "excepthook"),
    State(gc.isenabled, _set_collecting),
    State(gc.get_threshold, lambda values: gc.set_threshold(*values)),
    State(lambda: SMALLEST == 0, _set_denormals, False),
    State(sys.getswitchinterval, sys.setswitchinterval),
    State(threading.gettrace, threading.settrace),
    State(threading.getprofile, threading.setprofile),
    State(sys.getprofile, sys.setprofile),
    State(sys.gettrace, sys.settrace),
)
