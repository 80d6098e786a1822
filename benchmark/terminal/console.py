"""Standard output and error that take every character and never raise, so that printing cannot end a run."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

STAND_INS = {
    "σ": "sigma", "ε": "eps", "α": "alpha", "Φ": "Phi", "Σ": "sum", "ℓ": "l", "²": "2", "³": "3", "⁻": "-", "¹": "1",
    "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "×": "x", "·": "-", "±": "+-", "−": "-", "–": "-", "—": "-",
    "→": "->", "…": "...", "’": "'", "‘": "'", "“": '"', "”": '"',
}  # fmt: skip
"""What replaces mathematical symbols that an encoding lacks."""

ERRORS = "abstention-bench"
"""Name of the codec error handler, which writes the replacement, or else Python's escape of the character."""


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    written = (STAND_INS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking)
    return "".join(written), error.end


codecs.register_error(ERRORS, _stand_in)


class Outlet(io.RawIOBase):
    """A byte stream that takes everything. If it cannot write, it drops the bytes and keeps the error in ``lost``.

    It has its own file descriptor, which stays open if somebody closes standard output or descriptor 1.
    """

    def __init__(self, raw: Any) -> None:
        self.raw: io.RawIOBase = raw
        self.lost: OSError | None = None
        self._replaced: io.RawIOBase | None = None
        if type(raw) is io.FileIO:
            self.raw, self._replaced = io.FileIO(os.dup(raw.fileno()), "w"), raw

    def close(self) -> None:
        """Does nothing: only :meth:`end` closes it."""

    def end(self) -> None:
        """Close the descriptor. Later writes go to the stream that this one replaced."""
        if self._replaced is not None:
            self.raw.close()
            self.raw, self._replaced = self._replaced, None

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.raw.isatty()

    def fileno(self) -> int:
        return self.raw.fileno()

    def write(self, data: Any, /) -> int:
        content = bytes(data)
        while self.lost is None:
            try:
                written = self.raw.write(content)
                if written is not None:
                    return written
                select.select([], [self.raw], [], 1)  # a pipe that does not block, and is full
            except OSError as error:
                self.lost = error
            except ValueError:  # somebody closed it
                self.lost = OSError(errno.EBADF, os.strerror(errno.EBADF))
        return len(content)


class _Buffer(io.BufferedWriter):
    """A buffer that cannot be closed or detached, like :class:`_Text`."""

    def close(self) -> None:
        self.flush()

    def detach(self) -> Any:
        self.flush()
        return self.raw


class _Text(io.TextIOWrapper):
    """A text stream that user code can write to, but not close, detach or give another encoding."""

    def close(self) -> None:
        self.flush()

    def detach(self) -> Any:
        self.flush()
        return self.buffer

    def reconfigure(self, *, line_buffering: bool | None = None, **_: Any) -> None:
        super().reconfigure(line_buffering=line_buffering)


@contextmanager
def tolerant() -> Iterator[list[str]]:
    """Within this context, writing to standard output and error raises nothing.

    Yields:
        A list. Afterwards it has a line if standard output was lost, for example on a full disk. A reader that closed
        its pipe (``| head``) does not count, nor does lost standard error.
    """
    _open_closed()
    problems: list[str] = []
    before = sys.stdout, sys.stderr
    outlet, other = _replaced("stdout"), _replaced("stderr")
    ours = sys.stdout, sys.stderr
    try:
        yield problems
    finally:
        for stream in ours:
            stream.flush()
        sys.stdout, sys.stderr = before
        for one in (outlet, other):
            if one is not None:
                one.end()
        if outlet is not None and outlet.lost is not None and outlet.lost.errno != errno.EPIPE:
            problems.append(f"standard output could not be written: {outlet.lost.strerror}")


def _replaced(name: str) -> Outlet | None:
    """Replace ``sys.stdout`` or ``sys.stderr`` by a tolerant stream; None if it is not an ordinary text file."""
    stream: TextIO | None = getattr(sys, name)
    if stream is None:  # closed when Python started
        with io.FileIO(os.devnull, "w") as nothing:
            outlet = Outlet(nothing)
        setattr(sys, name, _Text(_Buffer(outlet), encoding="utf-8", errors=ERRORS))
        return outlet
    if not isinstance(stream, io.TextIOWrapper):
        return None  # a notebook's, or a test's
    stream.flush()
    outlet = Outlet(getattr(stream.buffer, "raw", stream.buffer))
    text = _Text(
        _Buffer(outlet),
        encoding=stream.encoding,
        errors=ERRORS,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, text)
    return outlet


def _open_closed() -> None:
    """Open closed descriptors 0 to 2 on the null device. Otherwise the next opened file would get their numbers."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
