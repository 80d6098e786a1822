"""A piece of the process's state, which is put back after user code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

AS_IT_IS = object()
"""User code starts with the state as it is."""


class State(NamedTuple):
    """How a piece of the process's state is read and written, and the value that user code starts with."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    found: Any = AS_IT_IS


def attribute(owner: object, name: str, found: Any = AS_IT_IS) -> State:
    """The state of an attribute of a module or an object."""
    return State(partial(getattr, owner, name), partial(setattr, owner, name), found)
