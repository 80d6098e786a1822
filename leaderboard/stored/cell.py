"""A stored cell without its records and images, and a damaged one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict


class Request(TypedDict):
    """A run that asked for a cell."""

    images: int  # the size of the image set of that run
    options: list[
        str
    ]  # the options of its command line that decide what is run: "--suite", "digits", "--attacks", "cw*"


@dataclass(frozen=True)
class StoredCell:
    """What the store holds of a cell beside its records and images."""

    key: str
    settings: dict[str, Any]
    status: Literal["ok", "error"]
    error: str | None  # the traceback of an attack that raised
    provenance: dict[str, Any]  # versions, commit, device: recorded, never hashed
    created: str  # ISO 8601, UTC, microseconds: sorts by time as text
    seconds: float
    surrogate_queries: int
    has_images: bool = True  # False where it was adopted from a published board, which has records only
    observed: dict[str, int] = field(default_factory=dict)  # counts made while it ran: see `leaderboard.checks`
    asked: list[Request] = field(default_factory=list)  # oldest first; empty in cells of versions that had none
    digests: dict[str, str] = field(default_factory=dict)  # see `leaderboard.stored.digest`; empty in older cells

    def __post_init__(self) -> None:
        if not (isinstance(self.observed, dict) and all(type(count) is int for count in self.observed.values())):
            raise ValueError(f"what was observed is no counts: {self.observed!r}")


@dataclass(frozen=True)
class Damage:
    """A cell whose files are not what a run wrote, with what its JSON says of it, where that can be read."""

    key: str
    suite: str | None
    target: str | None
    attack: str | None
    reason: str

    def __str__(self) -> str:
        """What is damaged and why, in one line."""
        place = [f"{name} {value}" for name, value in (("suite", self.suite), ("target", self.target)) if value]
        what = ", ".join([self.attack or "attack unknown", *place])
        return f"cell {self.key} ({what}) is damaged and counts as not run: {self.reason}"
