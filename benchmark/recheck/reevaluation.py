"""Re-evaluation: stored images scored again under other PREDICT settings, without running an attack."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

import torch

from benchmark.cell import Cell
from benchmark.provenance import provenance
from benchmark.recheck.scoring import COSTS, Made, MadeCell, forget_pieces, quick_threads, score
from benchmark.running.sample_cache import SampleCache
from benchmark.running.work import Progress
from benchmark.suite import Suite
from leaderboard import Store, StoredCell
from leaderboard.board import is_best_of
from leaderboard.stored.cell import Request
from leaderboard.stored.records import ABSTAIN
from leaderboard.stored.source import LANDED_FOR, ORIGIN, SUBMITTED
from leaderboard.variants import variants
from targets import TARGETS, InputError, SmoothedClassifier, load
from targets.digest import content
from targets.isolation import isolated
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


@dataclass
class Plan:
    """What will be done.

    Attributes:
        work: each cell with images, the sizes of the image sets that it is a shard of, and its new settings.
        left_out: how many cells cannot be scored again, by reason.
    """

    work: list[tuple[StoredCell, list[int], tuple[int, float, int]]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass
class Summary:
    """What was done: cells that were scored, and that the store stored already."""

    scored: int = 0
    held: int = 0
    keys: list[str] = field(default_factory=list)


def plan(store: Store, asked: Asked) -> Plan:
    """What there is to score again in a store. Only what its rows count: settings that newer ones replace do not.

    Raises:
        InputError: a pattern that fits nothing, or settings under which PREDICT would always abstain.
    """
    sizes: dict[str, list[int]] = defaultdict(list)
    counted: dict[str, StoredCell] = {}
    for variant in variants(store.cells()):
        for cell in variant.cells:
            if LANDED_FOR not in cell.settings:
                sizes[cell.key].append(variant.size)
                counted[cell.key] = cell
    chosen = _chosen(list(counted.values()), asked)
    made = Plan()
    for cell in sorted(chosen, key=_order):
        reason = _hindrance(cell)
        if reason:
            made.left_out[reason] += 1
        else:
            made.work += [(cell, sorted(sizes[cell.key]), settings) for settings in asked.settings_of(cell)]
    return made


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


def reevaluate(store: Store, made: Plan, device: str, progress: Progress, options: Sequence[str]) -> Summary:
    """Score what was planned, a cell at a time, each stored as soon as it is done; those that are held are skipped.

    Cells of other weights or images than today's are left out, and counted in the plan.

    Args:
        options: the words that ask for the same again, recorded with each cell.
    """
    summary = Summary()
    by_target: dict[str, list[tuple[StoredCell, list[int], tuple[int, float, int]]]] = defaultdict(list)
    for item in made.work:
        by_target[item[0].settings["target"]].append(item)
    position = 0
    for name, items in by_target.items():
        target = load(name, device)
        cache = SampleCache(target)
        with quick_threads(target):
            for origin, sizes, settings in items:
                position += 1
                if reason := _changed(origin, target):
                    made.left_out[reason] += 1
                    continue
                cell = rescored(origin, target, *settings)
                requests = [Request(images=size, options=list(options)) for size in sizes]
                progress.start(cell, position)
                _one(store, cell, origin, requests, cache, progress, summary)
    return summary


def _changed(origin: StoredCell, target: SmoothedClassifier) -> str | None:
    """Why a cell's images are none of today's target's."""
    for name in ("weights", "sigma", "data"):
        if origin.settings.get(name) != target.identity[name]:
            return f"are of other {name} than today's {target.name}"
    today = content(target.data, "images", "labels").get("content", {})
    then = origin.settings.get("content", {})
    if any(then.get(part) != today.get(part) for part in ("images", "labels")):
        return f"are on other images than today's {target.data}"
    return None


def rescored(origin: StoredCell, target: SmoothedClassifier, n: int, alpha: float, seed: int) -> MadeCell:
    """The cell of a stored cell's images under other settings of PREDICT."""
    settings = origin.settings
    known = {name: settings[name] for name in ("n", "alpha", "seed")}
    samples = settings.get("ceiling_samples") or Suite.ceiling_samples
    return MadeCell(
        suite=Suite(settings["suite"], samples=n, alpha=alpha, seed=seed, ceiling_samples=samples),
        target=target,
        attack_name=settings["attack"],
        attack=Made(),
        epsilon=settings["epsilon"],
        images=tuple(settings["images"]),
        query_budget=settings.get("query_budget"),
        stored={**settings, LANDED_FOR: known, ORIGIN: origin.key},
    )


def noise_of(origin: StoredCell, seed: int) -> tuple[str, int]:
    """Purpose and seed of the noise that a cell's images are scored on.

    A best-of cell chose its images on the noise that its members were evaluated on, so it has noise of its own. So has
    a submitted cell, keyed by what nobody knew before the file was there.
    """
    if SUBMITTED in origin.settings:
        from benchmark.recheck.submission import PURPOSE, evaluation_seed

        return PURPOSE, evaluation_seed(origin.settings, seed)
    return ("best-of" if is_best_of(origin.settings["attack"]) else "evaluation"), seed


def _one(
    store: Store,
    cell: MadeCell,
    origin: StoredCell,
    requests: Sequence[Request],
    cache: SampleCache,
    progress: Progress,
    summary: Summary,
) -> None:
    summary.keys.append(cell.key)
    held = _held(cell, store)
    if held is not None:
        for request in requests:
            held = store.ask(held, request)
        summary.held += 1
        progress.finish(cell, 0.0, "stored")
        return
    begun = time.perf_counter()
    before = store.records(origin.key)
    purpose, seed = noise_of(origin, cell.suite.seed)
    with isolated():
        records = score(
            cell,
            store,
            torch.from_numpy(store.images(origin.key)).to(cell.target.device),
            {name: before[name].to_numpy() for name in COSTS},
            cache,
            purpose=purpose,
            seed=seed,
            report=progress.stage,
        )
    seconds = time.perf_counter() - begun
    facts = provenance(cell.target.device, cell.target.arithmetic)
    if origins := origin.provenance.get("surrogates"):
        facts["surrogates"] = origins
    stored = StoredCell(
        key=cell.key,
        settings=cell.settings(),
        status="ok",
        error=None,
        provenance=facts,
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        seconds=seconds,
        surrogate_queries=origin.surrogate_queries,
        asked=list(requests),
    )
    store.adopt_cell(stored, records)  # without images: they lie with the origin
    forget_pieces(store, cell.key)
    summary.scored += 1
    rate = float((records.outcome == ABSTAIN).mean())
    progress.finish(cell, seconds, "ok", rate, int((records.validity != "valid").sum()))


def _held(cell: Cell, store: Store) -> StoredCell | None:
    held = store.cell(cell.key)
    return held if held is not None and held.status == "ok" else None
