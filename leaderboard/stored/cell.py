"""What the store knows of a cell beside its records and images, and of a cell that it does not believe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict


class Request(TypedDict):
    """One run that asked for a cell."""

    images: int  # of how many evenly spaced images: the set that its rows are of
    options: list[str]  # the command line's words that decide what is run: "--suite", "digits", "--attacks", "cw*"


@dataclass(frozen=True)
class StoredCell:
    """What the store knows of a cell beside its records and images."""

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
    asked: list[Request] = field(default_factory=list)  # oldest first; none in cells of versions that did not say
    digests: dict[str, str] = field(default_factory=dict)  # see `leaderboard.stored.digest`; none in older cells

    def __post_init__(self) -> None:
        if not (isinstance(self.observed, dict) and all(type(count) is int for count in self.observed.values())):
            raise ValueError(f"what was observed is no counts: {self.observed!r}")


@dataclass(frozen=True)
class Damage:
    """A cell that is in a store's folder and is not believed; what its JSON says of it, where that can be read."""

    key: str
    suite: str | None
    target: str | None
    attack: str | None
    reason: str

    def __str__(self) -> str:
        """In one line."""
        place = [f"{name} {value}" for name, value in (("suite", self.suite), ("target", self.target)) if value]
        what = ", ".join([self.attack or "attack unknown", *place])
        return f"cell {self.key} ({what}) is damaged and counts as not run: {self.reason}"
