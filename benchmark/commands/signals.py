"""Interruption of a long command: SIGTERM has the effect of Ctrl-C."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""Exit code of an interrupted command."""


def interrupt_on_sigterm() -> None:
    """From now on SIGTERM raises :class:`KeyboardInterrupt`, so that files and processes are closed in order."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
