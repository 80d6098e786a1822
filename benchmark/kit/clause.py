"""A clause of a contract: what it says, and what was found."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

Subject = TypeVar("Subject")


class Broken(AssertionError):
    """A clause is broken; the message says how, and where."""


class NotApplicable(Exception):
    """A clause says nothing of this attack or target; the message says why."""


@dataclass(frozen=True)
class Clause(Generic[Subject]):
    """One clause.

    Attributes:
        name: a word or two.
        check: of what is under contract; returns what was found, in words. Raises :class:`Broken` or
            :class:`NotApplicable`.
    """

    name: str
    check: Callable[[Subject], str]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Finding:
    """What became of one clause."""

    clause: str
    status: Literal["kept", "BROKEN", "–"]
    found: str


def check_all(clauses: Sequence[Clause[Subject]], subject: Subject) -> list[Finding]:
    """What is found of each clause, one after the other, whatever the others say."""
    return [_check(clause, subject) for clause in clauses]


def _check(clause: Clause[Subject], subject: Subject) -> Finding:
    try:
        return Finding(clause.name, "kept", clause.check(subject))
    except Broken as broken:
        return Finding(clause.name, "BROKEN", str(broken))
    except NotApplicable as reason:
        return Finding(clause.name, "–", str(reason))


def where(error: BaseException, frames: int = 2) -> str:
    """An error and the last frames of its traceback, but for the kit's own: "E: text (file, line n; …)"."""
    kit = str(Path(__file__).parent)
    stack = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(kit)]
    lines = "; ".join(f"{Path(f.filename).name}, line {f.lineno}, in {f.name}" for f in stack[-frames:])
    text = f"{type(error).__name__}: {error}".strip().replace("\n", " ")
    return f"{text} ({lines})" if lines else text
