"""What ends a long command: SIGTERM does as Ctrl-C does."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn


def interrupt_on_sigterm() -> None:
    """From now on SIGTERM raises :class:`KeyboardInterrupt`, so that what was begun is closed in order."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
