"""What there is to score again in a results folder: which cells, under which settings, and which not and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from leaderboard import Store, StoredCell
from leaderboard.stored.source import LANDED_FOR
from leaderboard.variants import variants
from targets import TARGETS, InputError
from targets.limits import check_test
from targets.registry import unknown

KINDS = {"suite": "suite", "targets": "target", "attacks": "attack"}
"""The setting that each option is a pattern of."""


@dataclass(frozen=True)
class Asked:
    """What is to be scored again, and by which settings.

    Attributes:
        patterns: by setting ("suite", "target", "attack"), shell-style patterns.
        epsilons: all without.
        samples, alpha, seeds: each of which stays as the attack knew it where nothing is given.
    """

    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    epsilons: Collection[float] = ()
    samples: Sequence[int] = ()
    alpha: float | None = None
    seeds: Sequence[int] = ()

    def settings_of(self, cell: StoredCell) -> Iterator[tuple[int, float, int]]:
        """n, alpha and seed to score a cell's images by; not those that the attack knew."""
        known = (cell.settings["n"], cell.settings["alpha"], cell.settings["seed"])
        alphas = [known[1] if self.alpha is None else self.alpha]
        for asked in product(self.samples or [known[0]], alphas, self.seeds or [known[2]]):
            if asked != known:
                check_test(asked[0], asked[1])
                yield asked


@dataclass(frozen=True)
class Task:
    """A cell that is to be scored again.

    Attributes:
        origin: it holds the images.
        sizes: of the image sets that it is a shard of.
        n, alpha, seed: to score them by.
    """

    origin: StoredCell
    sizes: Sequence[int]
    n: int
    alpha: float
    seed: int


@dataclass
class Plan:
    """What will be done.

    Attributes:
        tasks: one a cell and settings.
        left_out: how many cells cannot be scored again, by reason.
    """

    tasks: list[Task] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def plan(store: Store, asked: Asked) -> Plan:
    """What there is to score again in a store. Only what its rows count: settings that newer ones replace do not.

    Raises:
        InputError: a pattern that fits nothing, or settings under which PREDICT would always abstain.
    """
    made = Plan()
    for cell, sizes in origins(store, asked, made.left_out):
        made.tasks += [Task(cell, sizes, *settings) for settings in asked.settings_of(cell)]
    return made


def origins(store: Store, asked: Asked, left_out: Counter[str]) -> Iterator[tuple[StoredCell, list[int]]]:
    """The cells whose images can be scored again, each with the sizes of the image sets that it is a shard of.

    Args:
        left_out: is told how many cannot, by reason.

    Raises:
        InputError: a pattern that fits nothing.
    """
    sizes: dict[str, list[int]] = defaultdict(list)
    counted: dict[str, StoredCell] = {}
    for variant in variants(store.cells()):
        for cell in variant.cells:
            if LANDED_FOR not in cell.settings:
                sizes[cell.key].append(variant.size)
                counted[cell.key] = cell
    for cell in sorted(_chosen(list(counted.values()), asked), key=_order):
        if reason := _hindrance(cell):
            left_out[reason] += 1
        else:
            yield cell, sorted(sizes[cell.key])


def _order(cell: StoredCell) -> tuple[Any, ...]:
    settings = cell.settings
    return settings["target"], settings["attack"], settings["epsilon"], settings.get("query_budget") or 0, cell.key


def _chosen(cells: Sequence[StoredCell], asked: Asked) -> list[StoredCell]:
    for kind, patterns in asked.patterns.items():
        names = {cell.settings[kind] for cell in cells}
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise unknown(kind, pattern, names)
    epsilons = {cell.settings["epsilon"] for cell in cells}
    for epsilon in asked.epsilons:
        if epsilon not in epsilons:
            known = ", ".join(map(str, sorted(epsilons)))
            raise InputError(f"no cell has ε = {epsilon:g}; known: {known}")
    return [
        cell
        for cell in cells
        if all(any(fnmatchcase(cell.settings[kind], one) for one in asked.patterns[kind]) for kind in asked.patterns)
        if not asked.epsilons or cell.settings["epsilon"] in asked.epsilons
    ]


def _hindrance(cell: StoredCell) -> str | None:
    """Why a cell cannot be scored again, as far as that is seen without its target."""
    if cell.status != "ok":
        return "failed"
    if not cell.has_images:
        return "have no images here: they were adopted from a published board"
    if cell.settings["target"] not in TARGETS:
        return f"are of the target {cell.settings['target']}, which is not registered (--plugin)"
    return None
