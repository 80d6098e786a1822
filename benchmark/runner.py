"""The run: each cell that the store does not hold yet, one after the other."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from attacks import ATTACKS, Meter
from benchmark.attempt import attempt
from benchmark.best_of import BestOf, best_of_cells, choose, count_best_of
from benchmark.cell import Cell, budgets, cells
from benchmark.evaluation import enforce, take
from benchmark.grant import grant
from benchmark.memory import Memory
from benchmark.originals import originals, outcome, renew
from benchmark.provenance import provenance
from benchmark.shared import Surrogates
from benchmark.suite import Suite
from leaderboard import Store
from leaderboard.records import frame
from leaderboard.store import Request
from targets import ABSTAIN, DATA, SmoothedClassifier, load
from targets.engine import SMALL
from targets.isolation import isolated
from targets.noise import Streams


class Progress(Protocol):
    """What a run tells of itself."""

    def start(self, cell: Cell, position: int) -> None:
        """A cell begins."""

    def tick(self) -> None:
        """The cell is at work."""

    def stage(self, what: str, unit: str, done: int, total: int) -> None:
        """So much is done of work that the cell shares with others, as :class:`benchmark.pieces.Tell` hears it."""

    def finish(
        self, cell: Cell, seconds: float, status: str, abstention_rate: float | None = None, invalid: int = 0
    ) -> None:
        """A cell is done: "ok", "failed", "stored" where the store held it, or "left out" where it cannot be run.

        ``invalid`` images broke the budget rule.
        """


@dataclass
class Summary:
    """What a run did: the keys of its cells, and how many were run, held already, failed, and left out.

    Of those held, ``renewed`` got new ceilings. ``new`` are the target and attack of each that was run.
    """

    keys: list[str] = field(default_factory=list)
    new: set[tuple[str, str]] = field(default_factory=set)
    ran: int = 0
    stored: int = 0
    renewed: int = 0
    failed: int = 0
    left_out: int = 0


def count_cells(suite: Suite) -> int:
    """How many cells a suite has."""
    shards = -(-suite.images // suite.shard)
    attacks = sum(len(budgets(suite, ATTACKS[name].access)) for name in suite.attack_names()) + count_best_of(suite)
    return len(suite.target_names()) * attacks * len(suite.epsilons) * shards


def run(suite: Suite, store: Store, device: str, progress: Progress, options: Sequence[str] = ()) -> Summary:
    """Run a suite's missing cells and store each.

    Every cell records that it was asked for, by a command of such ``options``. An attack that raises is stored as a
    failed cell, which the next run tries again; the others go on.
    """
    summary = Summary()
    threads = torch.get_num_threads()
    try:
        # All first: the last target's damaged weights should not be found after hours.
        for target in [load(name, device) for name in suite.target_names()]:
            small = math.prod(DATA[target.data].shape) <= SMALL
            torch.set_num_threads(1 if small else threads)
            _run_target(suite, target, store, progress, summary, Request(images=suite.images, options=list(options)))
    finally:
        torch.set_num_threads(threads)
    return summary


def _run_target(
    suite: Suite,
    target: SmoothedClassifier,
    store: Store,
    progress: Progress,
    summary: Summary,
    request: Request,
) -> None:
    surrogates = Surrogates(store, target, suite.samples, suite.alpha, suite.seed, tell=progress.stage)
    memory = Memory(target)
    facts = provenance(target.device)
    plain = list(cells(suite, target, suite.indices(target.name)))
    for cell in [*plain, *best_of_cells(suite, plain)]:
        key = cell.key
        summary.keys.append(key)
        progress.start(cell, len(summary.keys))
        held = store.cell(key)
        if held is not None and held.status == "ok":
            held = store.ask(held, request)
            with isolated():
                summary.renewed += renew(cell, held, store, progress.stage)
            summary.stored += 1
            progress.finish(cell, held.seconds, "stored")
            continue
        if isinstance(cell, BestOf) and cell.lacks_images(store):
            summary.left_out += 1
            progress.finish(cell, 0.0, "left out")
            continue
        earlier = [] if held is None else [one for one in held.asked if one != request]
        begun = time.perf_counter()
        surrogates.queries = 0
        try:
            with isolated():  # beside the attack, what a base classifier does to the process's state
                records, images, observed = run_cell(cell, store, surrogates, memory, progress.tick)
        except (Exception, SystemExit):  # whatever a plugin raises: its traceback is stored, and it is retried
            seconds = time.perf_counter() - begun
            store.write_failure(
                key,
                cell.settings(),
                traceback.format_exc(),
                provenance=facts,
                seconds=seconds,
                asked=[*earlier, request],
            )
            summary.failed += 1
            progress.finish(cell, seconds, "failed")
            continue
        seconds = time.perf_counter() - begun
        store.write_cell(
            key,
            cell.settings(),
            frame(records),
            images,
            provenance=facts,
            seconds=seconds,
            surrogate_queries=_surrogate_queries(cell, store, surrogates),
            observed=observed,
            asked=[*earlier, request],
        )
        summary.ran += 1
        summary.new.add((cell.target.name, cell.attack_name))
        rate, invalid = np.mean(records["outcome"] == ABSTAIN), np.sum(records["validity"] != "valid")
        progress.finish(cell, seconds, "ok", float(rate), int(invalid))


def _surrogate_queries(cell: Cell, store: Store, surrogates: Surrogates) -> int:
    if isinstance(cell, BestOf):
        # Its members share the answers, and may all have run before this process began.
        return max(held.surrogate_queries for member in cell.members if (held := store.cell(member.key)))
    return surrogates.queries


def run_cell(
    cell: Cell, store: Store, surrogates: Surrogates, memory: Memory, tick: Callable[[], None]
) -> tuple[dict[str, Any], np.ndarray[Any, np.dtype[np.float32]], dict[str, int]]:
    """One cell: clean votes, attack, budget rule, evaluation on fresh noise.

    Returns:
        Its records, by column, the images as the attack returned them (N, C, H, W) float32, and what was observed
        while it ran.
    """
    suite, target = cell.suite, cell.target
    split = DATA[target.data].split("evaluation")
    images = take(split.images, cell.images).to(target.device)
    labels = take(split.labels, cell.images)
    known = originals(cell, store, images, surrogates.tell)
    tick()

    meter = Meter(len(images), cell.query_budget, tick)
    if isinstance(cell, BestOf):
        best = choose(cell, store, images, meter)
        returned, seconds, purpose = best.images, best.seconds, "best-of"
    else:
        access = grant(cell, meter, surrogates, memory)
        streams = Streams((suite.seed, target.name, "attack", cell.attack_name, repr(cell.epsilon)), cell.images)
        begun, training = time.perf_counter(), surrogates.seconds
        returned = attempt(cell.attack, access, images, labels.to(target.device), cell.epsilon, streams)
        # A surrogate serves many cells; its training is not the cost of the one that happened to come first.
        spent = time.perf_counter() - begun - (surrogates.seconds - training)
        seconds, purpose = np.full(len(images), spent / len(images)), "evaluation"

    sent = enforce(images, returned, cell.epsilon)
    votes = memory.votes(sent.images, suite.samples, seed=suite.seed, purpose=purpose, indices=list(cell.images))
    records = {
        "image": np.array(cell.images),
        "label": labels.numpy(),
        **known,
        **outcome(votes, suite.alpha),
        "l2": sent.l2,
        "linf": sent.linf,
        "changed": sent.changed,
        "validity": sent.validity,
        "queries": meter.queries,
        "forward_samples": meter.forward,
        "backward_samples": meter.backward,
        "seconds": seconds,
    }
    return records, returned.detach().cpu().numpy().astype(np.float32), meter.observed()
