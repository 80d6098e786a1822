"""The work on one target in one process: each of its cells run and stored, whatever its attack does."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from attacks import Meter
from benchmark.cell import Cell, cells
from benchmark.provenance import provenance
from benchmark.running.attempt import attempt
from benchmark.running.best_of import BestOf, best_of_cells, choose
from benchmark.running.evaluation import enforce, take
from benchmark.running.grant import grant
from benchmark.running.memory import Memory
from benchmark.running.originals import originals, outcome, renew
from benchmark.running.shared import Surrogates
from benchmark.suite import Suite
from leaderboard import Store
from leaderboard.stored.cell import Request, StoredCell
from leaderboard.stored.records import frame
from targets import ABSTAIN, DATA, SmoothedClassifier
from targets.isolation import isolated
from targets.noise import Streams


class Progress(Protocol):
    """What a run tells of itself.

    Attributes:
        workers: how many cells are at work at a time.
    """

    workers: int

    def start(self, cell: Cell, position: int) -> None:
        """A cell begins."""

    def tick(self) -> None:
        """The cell is at work."""

    def stage(self, what: str, unit: str, done: int, total: int) -> None:
        """So much is done of work that the cell shares with others, as ``pieces.Tell`` hears it."""

    def finish(
        self, cell: Cell, seconds: float, status: str, abstention_rate: float | None = None, invalid: int = 0
    ) -> None:
        """A cell is done: "ok", "failed", "stored" where the store held it, or "left out" where it cannot be run.

        ``invalid`` images broke the budget rule.
        """


Status = Literal["ok", "failed", "stored", "left out"]


@dataclass(frozen=True)
class Done:
    """What became of a cell.

    Attributes:
        status: "ok" or "failed" of one that was run, "stored" where the store held it, "left out" where it cannot run.
        renewed: whether a held one got new ceilings.
        abstention_rate: of one that ran.
        invalid: images that broke the budget rule.
    """

    key: str
    target: str
    attack: str
    status: Status
    seconds: float = 0.0
    renewed: bool = False
    abstention_rate: float | None = None
    invalid: int = 0


@dataclass(frozen=True)
class Work:
    """A target's cells in a suite, and what they share.

    Attributes:
        request: what a cell records of who asked for it.
        progress: hears of what goes on inside a cell.
    """

    suite: Suite
    target: SmoothedClassifier
    store: Store
    request: Request
    progress: Progress

    @cached_property
    def cells(self) -> list[Cell]:
        """All of them, in the order in which one process runs them: each best-of cell after its members."""
        plain = list(cells(self.suite, self.target, self.suite.indices(self.target.name)))
        return [*plain, *best_of_cells(self.suite, plain)]

    @cached_property
    def _surrogates(self) -> Surrogates:
        suite = self.suite
        return Surrogates(self.store, self.target, suite.samples, suite.alpha, suite.seed, tell=self.progress.stage)

    @cached_property
    def _memory(self) -> Memory:
        return Memory(self.target)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return provenance(self.target.device, self.target.arithmetic)

    def held(self, cell: Cell) -> Done | None:
        """What there is of a cell without running it; None for one that is to be run."""
        held = cell.held(self.store)
        if held is not None and held.status == "ok":
            held = self.store.ask(held, self.request)
            with isolated():
                renewed = renew(cell, held, self.store, self.progress.stage)
            return replace(self._done(cell, "stored", held.seconds, renewed=renewed), key=held.key)
        if isinstance(cell, BestOf) and cell.lacks_images(self.store):
            return self._done(cell, "left out")
        return None

    def run(self, cell: Cell) -> Done:
        """Run a cell and store it, or store why it failed."""
        begun = time.perf_counter()
        self._surrogates.queries = 0
        self._surrogates.origins.clear()
        try:
            with isolated():  # beside the attack, what a base classifier does to the process's state
                records, images, observed = run_cell(
                    cell, self.store, self._surrogates, self._memory, self.progress.tick
                )
        except KeyboardInterrupt:
            raise
        except BaseException:  # whatever a plugin raises: its traceback is stored, and it is retried
            return self.fail(cell, traceback.format_exc(), time.perf_counter() - begun)
        seconds = time.perf_counter() - begun
        self.store.write_cell(
            cell.key,
            cell.settings(),
            frame(records),
            images,
            provenance=self._facts | ({"surrogates": sorted(origins)} if (origins := self._surrogates.origins) else {}),
            seconds=seconds,
            surrogate_queries=_surrogate_queries(cell, self.store, self._surrogates),
            observed=observed,
            asked=self._asked(self.store.cell(cell.key)),
        )
        rate, invalid = np.mean(records["outcome"] == ABSTAIN), np.sum(records["validity"] != "valid")
        return self._done(cell, "ok", seconds, abstention_rate=float(rate), invalid=int(invalid))

    def fail(self, cell: Cell, reason: str, seconds: float) -> Done:
        """Store that a cell failed, and why; the next run tries it again."""
        self.store.write_failure(
            cell.key,
            cell.settings(),
            reason,
            provenance=self._facts,
            seconds=seconds,
            asked=self._asked(self.store.cell(cell.key)),
        )
        return self._done(cell, "failed", seconds)

    def _asked(self, held: StoredCell | None) -> list[Request]:
        return [*([] if held is None else [one for one in held.asked if one != self.request]), self.request]

    def _done(self, cell: Cell, status: Status, seconds: float = 0.0, **more: Any) -> Done:
        return Done(cell.key, cell.target.name, cell.attack_name, status, seconds, **more)


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
    votes = memory.votes(
        sent.images, suite.samples, seed=suite.seed, purpose=purpose, indices=list(cell.images), again=True
    )
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
