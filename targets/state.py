"""A piece of the process's state, which user code may change and which is put back after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

AS_IT_IS = object()


class State(NamedTuple):
    """A piece of the process's state: how it is read and written, and what user code finds there."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    found: Any = AS_IT_IS


def attribute(owner: object, name: str, found: Any = AS_IT_IS) -> State:
    """An attribute of a module or an object."""
    return State(partial(getattr, owner, name), partial(setattr, owner, name), found)
