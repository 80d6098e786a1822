"""How n buys availability: a target's standing at one ε at several n, from a board's standings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypedDict

from leaderboard.availability import Place, Rate, Standing, place


class AtN(TypedDict):
    """A target's rates at one n. ``answered`` and ``right`` are under every attack, which were landed for this n."""

    n: int
    clean_answered: Rate
    clean_right: Rate
    answered: Rate
    right: Rate
    certified_answered: float
    certified_right: float


class ByN(Place):
    """One target at one ε, its points by growing n. All of them are over the same images and as many attacks."""

    attacks: int  # controls included
    points: list[AtN]


def by_n(standings: Iterable[Standing]) -> list[ByN]:
    """Every target and ε that has standings at two n or more, without those that lack an attack of their table."""
    groups: dict[tuple[Any, ...], list[Standing]] = defaultdict(list)
    for one in standings:
        if not one["missing"]:
            where = (one["suite"], one["data"], one["sigma"], one["target"], one["epsilon"])
            groups[*where, one["alpha"], one["seed"], one["images"], one["under_attack"][-1]["attacks"]].append(one)
    return [_series(groups[key]) for key in sorted(groups) if len(groups[key]) > 1]


def _series(group: list[Standing]) -> ByN:
    first = group[0]
    points = [_point(one) for one in sorted(group, key=lambda one: one["n"])]
    return {**place(first), "attacks": first["under_attack"][-1]["attacks"], "points": points}


def _point(one: Standing) -> AtN:
    under = one["under_attack"][-1]
    return AtN(
        n=one["n"],
        clean_answered=one["clean_answered"],
        clean_right=one["clean_right"],
        answered=under["answered_every"],
        right=under["right_every"],
        certified_answered=one["certified_answered"],
        certified_right=one["certified_right"],
    )
