"""Comparing two attacks, or two results folders or boards: paired, image by image."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from benchmark.recheck.recorded import Recorded
from leaderboard import StoredCell
from leaderboard.paired import Paired, paired
from leaderboard.statistics import holm
from leaderboard.stored.records import ABSTAIN
from leaderboard.stored.source import LANDED_FOR
from leaderboard.variants import Variant, variants
from targets import InputError
from targets.registry import unknown

LEVEL = 0.05
"""Of the adjusted p-value, below which B counts as worse."""

PLACE = ("suite", "target", "epsilon", "n", "alpha", "seed", LANDED_FOR)
"""The settings that both sides of a pair have in common; of two folders attack and query budget too."""


@dataclass(frozen=True)
class Choice:
    """What is compared: patterns of targets and attacks, and ε; everything without."""

    targets: Collection[str] = ()
    attacks: Collection[str] = ()
    epsilons: Collection[float] = ()


@dataclass(frozen=True)
class Line:
    """One pair of rows.

    Attributes:
        settings: what both have in common, by the names of `PLACE`, and "attack" and "query_budget" of two folders.
        a, b: what the two are called.
        counts: how both fared on the images that both have.
        adjusted: Holm's p-value, over all lines of the table.
        notes: what else differs between the two.
    """

    settings: Mapping[str, Any]
    a: str
    b: str
    counts: Paired
    adjusted: float = 1.0
    notes: tuple[str, ...] = ()

    def is_worse(self, points: float) -> bool:
        """Whether B's rate is more than so many percentage points below A's, at an adjusted p below `LEVEL`."""
        return -100 * self.counts.difference > points and self.adjusted < LEVEL


@dataclass
class Table:
    """All lines, and what stands on one side alone."""

    lines: list[Line] = field(default_factory=list)
    only_a: list[str] = field(default_factory=list)
    only_b: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Side:
    """A row: its settings, and its outcome (abstains or not) and label by image."""

    settings: Mapping[str, Any]
    outcomes: Mapping[int, bool]
    labels: Mapping[int, int]


def compare_attacks(of: Recorded, a: str, b: str, choice: Choice) -> Table:
    """Two attacks on the same targets at the same ε, each under its largest query budget.

    Raises:
        InputError: a name that no row has, or nothing to compare.
    """
    known = {cell.settings["attack"] for cell in of.cells if cell.status == "ok"}
    for name in (a, b):
        if name not in known:
            raise unknown("attack", name, known)
    side_a, side_b = (_largest(_sides(of, [name], choice)) for name in (a, b))
    return _table(side_a, side_b, a, b)


def compare_folders(of_a: Recorded, of_b: Recorded, a: str, b: str, choice: Choice) -> Table:
    """Each row that two results folders or boards both have.

    Raises:
        InputError: nothing to compare, or data of the same name that differ.
    """
    side_a, side_b = (
        {(*place, attack, budget): side for (place, attack, budget), side in _sides(of, choice.attacks, choice).items()}
        for of in (of_a, of_b)
    )
    return _table(side_a, side_b, a, b)


_Place = tuple[str, ...]
_Key = tuple[_Place, str, int | None]


def _sides(of: Recorded, attacks: Collection[str], choice: Choice) -> dict[_Key, _Side]:
    """By place, attack and query budget the row of the most images."""
    found: dict[_Key, _Side] = {}
    cells = [cell for cell in of.cells if _fits(cell, choice, attacks)]
    for variant in sorted(variants(cells), key=lambda variant: variant.size):
        side = _side(of, variant)
        if side.outcomes:
            place = tuple(json.dumps(side.settings.get(name), sort_keys=True) for name in PLACE)
            found[place, side.settings["attack"], side.settings.get("query_budget")] = side
    return found


def _fits(cell: StoredCell, choice: Choice, attacks: Collection[str]) -> bool:
    settings = cell.settings
    return (
        (not choice.targets or any(fnmatchcase(settings["target"], pattern) for pattern in choice.targets))
        and (not attacks or any(fnmatchcase(settings["attack"], pattern) for pattern in attacks))
        and (not choice.epsilons or settings["epsilon"] in choice.epsilons)
    )


def _side(of: Recorded, variant: Variant) -> _Side:
    outcomes: dict[int, bool] = {}
    labels: dict[int, int] = {}
    for key, images in variant.counted().items():
        records = of.holder.records(key)
        records = records[records.image.isin(images)]
        outcomes.update(zip(records.image.tolist(), (records.outcome == ABSTAIN).tolist(), strict=True))
        labels.update(zip(records.image.tolist(), records.label.tolist(), strict=True))
    return _Side(variant.cells[-1].settings, outcomes, labels)


def _largest(sides: Mapping[_Key, _Side]) -> dict[tuple[Any, ...], _Side]:
    """By place, the row of the largest query budget; no budget is the largest."""
    found: dict[tuple[Any, ...], _Side] = {}
    for (place, _, _), side in sorted(sides.items(), key=lambda item: (item[0][2] is None, item[0][2] or 0)):
        found[place] = side
    return found


def _table(sides_a: Mapping[tuple[Any, ...], _Side], sides_b: Mapping[tuple[Any, ...], _Side], a: str, b: str) -> Table:
    table = Table()
    of_folders = any(len(key) > len(PLACE) for key in sides_a)
    for key, side in sides_a.items():
        other = sides_b.get(key)
        if other is None:
            table.only_a.append(_spoken(side))
            continue
        images = sorted(side.outcomes.keys() & other.outcomes.keys())
        if any(side.labels[image] != other.labels[image] for image in images) or _data(side) != _data(other):
            raise InputError(f"{_spoken(side)}: the two are of different images or labels of {side.settings['data']}")
        if not images:
            table.only_a.append(f"{_spoken(side)} (no image in common)")
            continue
        names = (*PLACE, *(("attack", "query_budget") if of_folders else ()))
        settings = {name: side.settings.get(name) for name in names}
        counts = paired([side.outcomes[image] for image in images], [other.outcomes[image] for image in images])
        table.lines.append(Line(settings, a, b, counts, notes=tuple(_notes(side, other))))
    table.only_b = [_spoken(side) for key, side in sides_b.items() if key not in sides_a]
    if not table.lines:
        raise InputError(f"{a} and {b} have no row in common: same suite, target, ε, n, alpha and seed")
    table.lines.sort(key=lambda line: [json.dumps(line.settings[name]) for name in line.settings])
    adjusted = holm([line.counts.p for line in table.lines])
    table.lines = [
        Line(line.settings, line.a, line.b, line.counts, p, line.notes)
        for line, p in zip(table.lines, adjusted, strict=True)
    ]
    return table


def _data(side: _Side) -> tuple[Any, ...]:
    content = side.settings.get("content", {})
    return side.settings["data"], content.get("images"), content.get("labels")


def _notes(side: _Side, other: _Side) -> Iterable[str]:
    for name, what in (("weights", "other weights"), ("sigma", "another σ")):
        if side.settings.get(name) != other.settings.get(name):
            yield what
    if side.settings["attack"] == other.settings["attack"]:
        for name, what in (("version", "another version of the attack"), ("parameters", "other hyper-parameters")):
            if side.settings.get(name) != other.settings.get(name):
                yield what


def _spoken(side: _Side) -> str:
    settings = side.settings
    budget = f" (≤ {settings['query_budget']:,} queries)" if settings.get("query_budget") else ""
    return f"{settings['attack']}{budget} on {settings['target']} at ε = {settings['epsilon']:g}, n = {settings['n']:,}"
