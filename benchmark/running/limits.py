"""Limits of an attack's time and memory, kept inside the worker process that runs it."""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from targets import InputError

GIGABYTE = 10**9


@dataclass(frozen=True)
class Limits:
    """What an attack may use for one cell.

    Attributes:
        seconds: of its call, without the surrogates that other cells use, too; None for no limit.
        gigabytes: of main memory beside what the process holds when the call begins; None for no limit.
    """

    seconds: float | None = None
    gigabytes: float | None = None

    def __post_init__(self) -> None:
        for option, value in (("--cell-timeout", self.seconds), ("--cell-memory", self.gigabytes)):
            if value is not None and not 0 < value < 1e9:
                raise InputError(f"{option} is {value:g}; give a number above 0")
        if self.gigabytes is not None and sys.platform != "linux":
            raise InputError("--cell-memory needs Linux; leave it out")

    def __bool__(self) -> bool:
        return self.seconds is not None or self.gigabytes is not None


@dataclass
class Watch:
    """Keeps one call of an attack within limits.

    The clock belongs to the interpreter and needs no lock of Python's. So it also ends a process whose attack never
    comes back from a library, or catches every exception. An allocation beyond the memory limit fails.

    Attributes:
        words: where the process says what it was doing when its time was up.
    """

    limits: Limits = field(default_factory=Limits)
    words: TextIO | None = None
    _left: float = 0.0
    _begun: float = 0.0

    @contextmanager
    def call(self) -> Iterator[None]:
        """The attack's call."""
        self._left = self.limits.seconds or 0.0
        with _memory(self.limits.gigabytes):
            self._start()
            try:
                yield
            finally:
                self._stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Work inside the call that other cells use, too. It takes none of the call's time."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        if self.limits.seconds is not None:
            self._begun = time.monotonic()
            left = max(self._left, 1e-3)
            faulthandler.dump_traceback_later(left, exit=True, file=self.words or sys.stderr)

    def _stop(self) -> None:
        if self.limits.seconds is not None:
            faulthandler.cancel_dump_traceback_later()
            self._left -= time.monotonic() - self._begun


@contextmanager
def _memory(gigabytes: float | None) -> Iterator[None]:
    """Let allocations fail that take more than so much beside what the process holds now."""
    if gigabytes is None or sys.platform != "linux":
        yield
        return
    import resource

    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _held() + int(gigabytes * GIGABYTE)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if most < 0 else min(limit, most), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))


def _held() -> int:
    """Bytes that count towards the limit: private memory that can be written to."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")]
    return int(line.split()[1]) * 1024


def lacked_memory(error: BaseException) -> bool:
    """Whether an allocation failed."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)
