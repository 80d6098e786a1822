"""A mark in a folder whose files belong together: some of them are new and others old.

Each file is replaced whole, but one after the other. So the mark is there before the first is, and goes after the last.
A writer that is killed, or finds no room, leaves it; the next one that ends removes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leaderboard.errors import StoreError
from leaderboard.stored import atomic, lock

NAME = ".unfinished"
"""The file that is the mark."""

_WORDS = b"Files here are of two boards: publish was stopped, or is at work. Run the same command again.\n"


@contextmanager
def together(folder: Path) -> Iterator[None]:
    """Mark a folder while files in it are replaced; what killed writers left there is removed.

    Waits while another process writes into the folder. Raises StoreError where it cannot be written.
    """
    with lock.turn(folder / "board"):
        atomic.write(folder / NAME, _WORDS)
        try:
            atomic.sweep(folder)
            yield
            (folder / NAME).unlink()
        except OSError as error:
            raise StoreError(f"cannot write into {folder}: {error.strerror or error}; choose another folder") from error
    lock.sweep(folder)


def is_marked(folder: Path) -> bool:
    """Whether the files in a folder are of two boards, or about to be."""
    return (folder / NAME).exists()
