"""Registries: entries by name. Targets, attacks, data sets and architectures each have one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Generic, TypeVar

from targets.errors import InputError

T = TypeVar("T")

LONGEST_NAME = 100
"""Characters of a name, at most: it becomes part of file names, which have at most 255 bytes."""


PLUGGABLE = ("attack", "target")
"""Kinds of names that plugins register."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not among ``known``. It suggests a close name, or lists all.

    Args:
        kind: what the names are of, e.g. "target".
    """
    known = sorted(known)
    close = difflib.get_close_matches(name[:LONGEST_NAME], known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}."
    if kind not in PLUGGABLE or difflib.get_close_matches(name[:LONGEST_NAME], known, n=1, cutoff=0.8):
        return InputError(f"unknown {kind} {name!r}; {hint.rstrip('.')}")
    return InputError(f"unknown {kind} {name!r}; {hint} A name that a plugin registers needs --plugin FILE")


def check_name(kind: str, name: str) -> None:
    """Raise :class:`InputError` for a name that is empty, too long or not printable."""
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InputError(f"{name!r} is no {kind} name: give 1 to {LONGEST_NAME} printable characters")


class Registry(Generic[T]):
    """A mapping from name to entry that refuses a name twice.

    Args:
        kind: what an entry is called in messages ("target", "attack").
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> None:
        """Register ``entry``. Raises :class:`InputError` where the name is invalid or taken."""
        check_name(self.kind, name)
        if any(c.isspace() or c in "*?[]/" for c in name):
            raise InputError(f"{name!r} is no {self.kind} name: use letters, digits, '-', '_' and '.'")
        if name in self._entries:
            raise InputError(f"the {self.kind} name {name!r} is taken; register yours under another name")
        self._entries[name] = entry

    def replace(self, name: str, entry: T) -> None:
        """Put ``entry`` in the place of the one that is registered as ``name``.

        Raises :class:`InputError` where there is none.
        """
        self[name]
        self._entries[name] = entry

    def remove(self, name: str) -> None:
        """Forget ``name``. Raises :class:`InputError` where it is not registered."""
        self[name]
        del self._entries[name]

    def snapshot(self) -> dict[str, T]:
        """A copy of all entries by name, in the order of registration, for :meth:`restore`."""
        return dict(self._entries)

    def restore(self, snapshot: Mapping[str, T]) -> None:
        """Hold exactly what was registered when ``snapshot`` was taken, in that order."""
        self._entries = dict(snapshot)

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            if any(c in "*?[" for c in name):
                known = ", ".join(sorted(self._entries))
                raise InputError(f"unknown {self.kind} {name!r}; give one name, not a pattern: {known}")
            raise unknown(self.kind, name, self._entries)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def match(self, patterns: Iterable[str]) -> list[str]:
        """Names that match any of the shell-style ``patterns``, in the order of registration.

        Raises :class:`InputError` for a pattern that matches nothing.
        """
        chosen: set[str] = set()
        for pattern in patterns:
            found = {name for name in self._entries if fnmatchcase(name, pattern)}
            if not found:
                raise unknown(self.kind, pattern, self._entries)
            chosen |= found
        return [name for name in self._entries if name in chosen]
