"""A finding: one sentence that a check says of the attacks, with its place on the board."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypedDict

from leaderboard.access import CONTROL
from leaderboard.board import is_best_of
from leaderboard.row import Row

Kind = Literal["gradients", "access", "epsilon", "queries", "seeds", "unchanged", "controls"]

WARNINGS: tuple[Kind, ...] = ("gradients", "access", "epsilon", "queries", "seeds")
"""Kinds after which a rate is no evidence of robustness. The others are facts about an attack."""


class Place(TypedDict):
    """Where on the board."""

    target: str
    epsilon: float


class Finding(TypedDict):
    """One sentence about an evaluation, with its counts."""

    kind: Kind
    severity: Literal["warning", "note"]
    suite: str
    n: int
    alpha: float
    seed: int
    attacks: list[str]
    places: list[Place]
    text: str


def finding(kind: Kind, rows: Sequence[Row], text: str) -> Finding:
    """A finding about these rows, of one suite, n, alpha and seed."""
    suite, n, alpha, seed = deployment(rows[0])
    places = sorted({(row["target"], row["epsilon"]) for row in rows})
    return Finding(
        kind=kind,
        severity="warning" if kind in WARNINGS else "note",
        suite=suite,
        n=n,
        alpha=alpha,
        seed=seed,
        attacks=sorted({row["attack"] for row in rows}),
        places=[Place(target=target, epsilon=epsilon) for target, epsilon in places],
        text=text,
    )


def deployment(row: Row) -> tuple[Any, ...]:
    """The suite, and how PREDICT was run: n, alpha, seed."""
    return (row["suite"], row["n"], row["alpha"], row["seed"])


def together(rows: Iterable[Row], *names: str) -> dict[Any, list[Row]]:
    """Rows with equal values under these names together, in the order of the rows, by their value or values."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        values = tuple(dict(row)[name] for name in names)
        groups[values if len(names) > 1 else values[0]].append(row)
    return groups


def attacks(rows: Iterable[Row]) -> list[Row]:
    """The rows of single attacks: without the controls and best-of."""
    return [row for row in rows if row["access"] != CONTROL and not is_best_of(row["attack"])]


def rate(row: Row) -> float:
    """The abstention rate, in [0, 1]; 0 where there is none."""
    return row["abstention_rate"] or 0.0


def abstaining(row: Row) -> int:
    """The number of images on which PREDICT abstains."""
    return round(rate(row) * row["images"])


def limited(row: Row) -> str:
    """The attack with its query budget, if it has one."""
    return row["attack"] if row["query_budget"] is None else f"{row['attack']} (≤ {row['query_budget']:,} queries)"


def listed(things: Iterable[object]) -> str:
    """Things in a sentence."""
    return ", ".join(map(str, things))
