"""The border between a run and the code of attacks: what theirs raises says nothing of the run.

Base classifiers have one of their own, since whatever they raise is a `TargetError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from leaderboard.errors import StoreError
from leaderboard.stored.lock import Busy


class PluginError(Exception):
    """An attack raised what would end the run, or put its cell off, had the run raised it."""


@contextmanager
def plugin_code() -> Iterator[None]:
    """The code inside is that of an attack, or of a surrogate that it asks for.

    Raises:
        PluginError: in place of a `StoreError` or `Busy` from inside.
    """
    try:
        yield
    except (StoreError, Busy) as error:
        raise PluginError(f"{type(error).__name__}: {error}") from error
