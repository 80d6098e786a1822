"""A file that one process at a time may write: a lock of the operating system, gone with the process that holds it."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from leaderboard.errors import StoreError

PATIENCE = 0.1
"""Seconds between two tries to take a lock that another holds."""

_WAITS = ContextVar("waits", default=True)


class Busy(BaseException):
    """Another process has the turn, and whoever asks has other things to do. No error: nothing should catch it."""


@contextmanager
def without_waiting() -> Iterator[None]:
    """Inside, `turn` raises `Busy` where it would wait."""
    token = _WAITS.set(False)
    try:
        yield
    finally:
        _WAITS.reset(token)


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Hold the lock of `path`, a hidden file beside it that is gone afterwards.

    Raises StoreError, one line that names the process, where another holds it or the folder cannot be written.
    """
    try:
        with _lock_of(path):
            yield
    except _Held as held:
        raise StoreError(
            f"{path} is being written by {held}; wait until it has ended, or write to another file"
        ) from None


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait for the lock of `path` and hold it, so that two processes do not compute what is written there at once.

    Raises StoreError where the folder cannot be written, and `Busy` instead of waiting inside `without_waiting`.
    """
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(_lock_of(path))
                break
            except _Held:
                if not _WAITS.get():
                    raise Busy from None
                time.sleep(PATIENCE)
        yield


def sweep(folder: Path) -> None:
    """Remove the locks in `folder` that no process holds: a process that was killed leaves its own behind."""
    for path in folder.glob(".*.lock"):
        with suppress(StoreError, _Held), _lock_of(path.with_name(path.name.removeprefix(".").removesuffix(".lock"))):
            pass  # taken and given back, which removes it


@contextmanager
def _lock_of(path: Path) -> Iterator[None]:
    lock = path.with_name(f".{path.name}.lock")
    try:
        file = _taken(lock)
    except OSError as error:
        raise StoreError(
            f"cannot write into {path.parent}: {error.strerror or error}; choose another folder"
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file: it stays, and locks nothing
            lock.unlink()
        os.close(file)


class _Held(Exception):
    """By whom."""


def _taken(lock: Path) -> int:
    """A descriptor of the lock file that is held until it is closed."""
    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _lock(file):
                holder = os.pread(file, 200, 0).decode(errors="replace") if hasattr(os, "pread") else ""
                raise _Held(" ".join(holder.split()) or "another process")
            if _is_named(file, lock):
                with suppress(OSError):  # a full disk: then nobody learns who holds it
                    os.ftruncate(file, 0)
                    os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _is_named(file: int, lock: Path) -> bool:
    """Whether an open file still lies there: who held it before may have removed it between our two calls."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(lock))
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """A byte behind all text: Windows keeps others from reading what is locked."""

    def _lock(file: int) -> bool:
        os.lseek(file, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(file, 0, os.SEEK_SET)
        return True
else:
    import errno
    import fcntl

    def _lock(file: int) -> bool:
        """Whether it is ours now. A file system without locks lets everyone write, as if there were one writer."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        return True
