"""The defender's side of the board: how often each target keeps answering, and answering rightly, under attack.

A target's standing at one ε has three parts, all over the same images:

- **clean**: how often it answers, and answers rightly, the original images;
- **under attack**, for each access and for all together: against the strongest single attack, and image by image
  against every attack at once (an image counts only if the target answers it under each of them);
- **certified**: what no attack within ε can take away, in expectation over PREDICT's noise.

The controls count in every access, since anyone can send the original image. Of a metered attack's rows only that of
the largest query budget counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, cast

from leaderboard.access import CONTROL, ordered
from leaderboard.board import at_largest_budget
from leaderboard.bootstrap import interval
from leaderboard.evidence import CLEAN
from leaderboard.row import Measured, Row
from leaderboard.sources import attacked
from leaderboard.statistics import clopper_pearson, mcnemar
from leaderboard.stored.records import ABSTAIN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leaderboard.stored.records import Columns

    Flags = NDArray[np.bool_]

ANY = "any"
"""Stands for all accesses together."""


class Rate(TypedDict):
    """A rate over images in [0, 1] with a 95% interval, exact for one rate (Clopper–Pearson)."""

    rate: float
    low: float
    high: float


class UnderAttack(TypedDict):
    """The attacks of one access, with the controls.

    ``answered`` and ``right`` are the lowest rates that any single attack reached. Their intervals hold for the lowest
    of the true rates: each attack's interval is at level 1 - 0.05 / attacks (Bonferroni). The rates themselves are not
    corrected: the lowest of several observed rates is, on average, a little below the lowest of the true ones.

    ``answered_attack`` and ``right_attack`` are the attacks that reached them, which may be two; None where no attack
    of this access does more than a control: then the rate is the controls' lowest.
    """

    access: str  # `ANY` for all
    attacks: int  # how many, controls included
    answered: Rate
    answered_attack: str | None
    right: Rate
    right_attack: str | None
    answered_every: Rate  # images that it answers under every one of these attacks
    right_every: Rate  # images that it answers rightly under every one of them


class Behind(TypedDict):
    """How far a target's ``right_every`` is below that of the first in rank, on the same images."""

    difference: float
    low: float | None  # 95% bootstrap interval over images, paired: see `leaderboard.bootstrap`
    high: float | None
    mcnemar_p: float  # exact, paired


class Place(TypedDict):
    """What rows, and what is made of them, are of."""

    suite: str
    target: str
    sigma: float
    data: str
    epsilon: float
    alpha: float
    seed: int
    images: int


def place(of: Row | Place) -> Place:
    """Its place."""
    held = dict(of)
    return cast(Place, {name: held[name] for name in Place.__annotations__})


class Standing(Place):
    """One target at one ε. Targets are ranked by ``right_every`` under all attacks, then by what is certified."""

    rank: int | None  # None: some attack that another target of the table has is missing or not whole
    n: int
    of_images: int
    clean_answered: Rate
    clean_right: Rate
    under_attack: list[UnderAttack]  # by access, `ANY` last
    certified_answered: float  # 1 - mean ceiling
    certified_right: float  # mean of 1 - ceiling over the images whose certified label is right, 0 for the others
    missing: list[str]  # attacks
    behind_first: Behind | None


@dataclass(frozen=True)
class _Attack:
    """An attack's outcomes on the images of a target, in the order of the images."""

    row: Row
    answered: Flags
    right: Flags


def standings(found: Iterable[Measured]) -> list[Standing]:
    """The standing of each target of a board at each ε, by table and rank.

    A table is of one suite, data set, n, alpha, seed, image set and ε. Only whole rows count, and none that is
    re-evaluated: its images were made for another n.
    """
    found = list(found)
    records = {id(one.row): one.records for one in found}
    tables: dict[tuple[Any, ...], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in at_largest_budget(attacked(one.row for one in found)):
        tables[table_of(row)][row["target"]].append(row)
    result: list[Standing] = []
    for targets in tables.values():
        wanted = {row["attack"] for rows in targets.values() for row in rows}
        table: list[tuple[Standing, Flags, list[int]]] = []
        for rows in targets.values():
            whole = [(row, known) for row in rows if (known := records[id(row)]) is not None and row["status"] == "ok"]
            if whole:
                table.append(_standing(whole, wanted))
        result += _ranked(table)
    return result


def table_of(of: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells the table of a row, a standing or a cost from the others."""
    return (of["suite"], of["data"], of["n"], of["alpha"], of["seed"], of["of_images"], of["epsilon"])


def _standing(whole: Sequence[tuple[Row, Columns]], wanted: set[str]) -> tuple[Standing, Flags, list[int]]:
    """The unranked standing, the images that are answered rightly under every attack, and the images' indices."""
    attacks = [_outcomes(row, records) for row, records in whole]
    first, records = min(whole, key=lambda one: one[0]["ceiling"] or 0.0)  # the lowest proven one holds for all rows
    clean = next((one for one in attacks if one.row["attack"] == CLEAN), None)
    clean_answer = records["clean_outcome"] != ABSTAIN
    answered = clean.answered if clean else clean_answer
    right = clean.right if clean else clean_answer & (records["clean_outcome"] == records["label"])
    accesses = [name for name in ordered(one.row["access"] for one in attacks) if name != CONTROL]
    groups = [(name, [one for one in attacks if one.row["access"] in (name, CONTROL)]) for name in accesses]
    certain: NDArray[np.float64] = 1 - records["ceiling"]
    leads = records["certified_label"] == records["label"]
    standing: Standing = {
        "rank": None,
        **place(first),
        "n": first["n"],
        "of_images": first["of_images"],
        "clean_answered": _rate(answered),
        "clean_right": _rate(right),
        "under_attack": [_under(name, group) for name, group in [*groups, (ANY, attacks)]],
        "certified_answered": float(certain.mean()),
        "certified_right": float((leads * certain).mean()),
        "missing": sorted(wanted - {row["attack"] for row, _ in whole}),
        "behind_first": None,
    }
    return standing, _every([one.right for one in attacks]), records["image"].tolist()


def _outcomes(row: Row, records: Columns) -> _Attack:
    answered = records["outcome"] != ABSTAIN
    return _Attack(row, answered, answered & (records["outcome"] == records["label"]))


def _under(access: str, attacks: Sequence[_Attack]) -> UnderAttack:
    answered, answered_attack = _lowest([(one.row, one.answered) for one in attacks])
    right, right_attack = _lowest([(one.row, one.right) for one in attacks])
    return UnderAttack(
        access=access,
        attacks=len(attacks),
        answered=answered,
        answered_attack=answered_attack,
        right=right,
        right_attack=right_attack,
        answered_every=_rate(_every([one.answered for one in attacks])),
        right_every=_rate(_every([one.right for one in attacks])),
    )


def _lowest(attacks: Sequence[tuple[Row, Flags]]) -> tuple[Rate, str | None]:
    """The lowest of several attacks' rates, with a simultaneous interval, and the attack that reached it.

    Of equals it is a control, for which None stands, else the first by name.
    """
    rates = [(_rate(flags, 1 - 0.05 / len(attacks)), row) for row, flags in attacks]
    rate, row = min(rates, key=lambda one: (one[0]["rate"], one[1]["access"] != CONTROL, one[1]["attack"]))
    low, high = min(rate["low"] for rate, _ in rates), min(rate["high"] for rate, _ in rates)
    return Rate(rate=rate["rate"], low=low, high=high), None if row["access"] == CONTROL else row["attack"]


def _every(flags: Sequence[Flags]) -> Flags:
    import numpy as np

    every: Flags = np.logical_and.reduce(flags)
    return every


def _rate(flags: Flags, confidence: float = 0.95) -> Rate:
    hits, images = int(flags.sum()), len(flags)
    low, high = clopper_pearson(hits, images, confidence)
    return Rate(rate=hits / images, low=low, high=high)


def right_under_all(standing: Standing) -> float:
    """The rate that targets are ranked by."""
    return standing["under_attack"][-1]["right_every"]["rate"]


def _ranked(table: Sequence[tuple[Standing, Flags, list[int]]]) -> list[Standing]:
    """The standings of a table in order, each compared with the first in rank."""

    def order(one: tuple[Standing, Flags, list[int]]) -> tuple[Any, ...]:
        standing = one[0]
        return bool(standing["missing"]), -right_under_all(standing), -standing["certified_right"], standing["target"]

    result: list[Standing] = []
    best: tuple[Standing, Flags, list[int]] | None = None
    for place, one in enumerate(sorted(table, key=order)):
        standing, right, images = one
        if not standing["missing"]:
            standing["rank"] = place + 1
            if best is None:
                best = one
            elif best[2] == images:
                standing["behind_first"] = _behind(best[1], right)
        result.append(standing)
    return result


def _behind(first: Flags, right: Flags) -> Behind:
    bounds = interval(lambda means: means[:, 0] - means[:, 1], first, right)
    return Behind(
        difference=float(first.mean() - right.mean()),
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        mcnemar_p=mcnemar(int((first & ~right).sum()), int((~first & right).sum())),
    )
