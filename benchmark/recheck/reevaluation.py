"""Re-evaluation: stored images scored again under other PREDICT settings, without running an attack."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import torch

from benchmark.cell import Cell
from benchmark.provenance import provenance
from benchmark.recheck.plan import Plan, Task
from benchmark.recheck.scoring import COSTS, Made, MadeCell, forget_pieces, quick_threads, score
from benchmark.running.evaluation import broken_rules
from benchmark.running.sample_cache import SampleCache
from benchmark.running.work import Progress
from benchmark.suite import Suite
from leaderboard import Store, StoredCell
from leaderboard.board import is_best_of
from leaderboard.stored.cell import Request
from leaderboard.stored.records import ABSTAIN
from leaderboard.stored.source import LANDED_FOR, ORIGIN, SUBMITTED
from targets import SmoothedClassifier, load
from targets.data.digest import content
from targets.isolation import isolated


@dataclass
class Summary:
    """What was done: how many cells were scored, how many the store held already, and the keys of both."""

    scored: int = 0
    held: int = 0
    keys: list[str] = field(default_factory=list)


def reevaluate(store: Store, made: Plan, device: str, progress: Progress, options: Sequence[str]) -> Summary:
    """Score what was planned, a cell at a time, each stored as soon as it is done; those that are held are skipped.

    Cells of other weights or images than today's are left out, and counted in the plan.

    Args:
        options: the words that ask for the same again, recorded with each cell.
    """
    summary = Summary()
    position = 0
    by_target: dict[str, list[Task]] = defaultdict(list)
    for task in made.tasks:
        by_target[task.origin.settings["target"]].append(task)
    for name, tasks in by_target.items():
        target = load(name, device)
        cache = SampleCache(target)
        with quick_threads(target):
            for task in tasks:
                position += 1
                if reason := changed(task.origin, target):
                    made.left_out[reason] += 1
                    continue
                cell = rescored(task, target)
                requests = [Request(images=size, options=list(options)) for size in task.sizes]
                progress.start(cell, position)
                _one(store, cell, task.origin, requests, cache, progress, summary)
    return summary


def changed(origin: StoredCell, target: SmoothedClassifier) -> str | None:
    """Why a cell's images are none of today's target's; None where they are."""
    for name in ("weights", "sigma", "data"):
        if origin.settings.get(name) != target.identity[name]:
            return f"are of other {name} than today's {target.name}"
    today = content(target.data, "images", "labels").get("content", {})
    then = origin.settings.get("content", {})
    if any(then.get(part) != today.get(part) for part in ("images", "labels")):
        return f"are on other images than today's {target.data}"
    return None


def rescored(task: Task, target: SmoothedClassifier) -> MadeCell:
    """The cell of a stored cell's images under other settings of PREDICT."""
    settings = task.origin.settings
    known = {name: settings[name] for name in ("n", "alpha", "seed")}
    samples = settings.get("ceiling_samples") or Suite.ceiling_samples
    most = settings.get("ceiling_samples_max", 0)
    return MadeCell(
        suite=Suite(
            settings["suite"],
            samples=task.n,
            alpha=task.alpha,
            seed=task.seed,
            ceiling_samples=samples,
            ceiling_samples_max=most,
        ),
        target=target,
        attack_name=settings["attack"],
        attack=Made(),
        epsilon=settings["epsilon"],
        images=tuple(settings["images"]),
        query_budget=settings.get("query_budget"),
        stored={**settings, LANDED_FOR: known, ORIGIN: task.origin.key},
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
    progress.finish(cell, seconds, "ok", rate, broken_rules(records.validity.to_numpy()))


def _held(cell: Cell, store: Store) -> StoredCell | None:
    held = store.cell(cell.key)
    return held if held is not None and held.status == "ok" else None
