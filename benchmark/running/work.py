"""The work on one target in one process: each of its cells is run and stored, whatever its attack does."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal, Protocol, TextIO

import numpy as np

from benchmark.cell import Cell, cells
from benchmark.provenance import provenance
from benchmark.running.best_of import BestOf, best_of_cells
from benchmark.running.cell_run import run_cell
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.clean_columns import better_proof, renew_ceilings
from benchmark.running.evaluation import broken_rules
from benchmark.running.limits import Limits, Watch, lacked_memory
from benchmark.running.sample_cache import SampleCache
from benchmark.running.surrogates import Surrogates
from benchmark.suite import Suite
from leaderboard import Store
from leaderboard.errors import StoreError
from leaderboard.stored.cell import Request, StoredCell
from leaderboard.stored.lock import Busy, without_waiting
from leaderboard.stored.records import frame
from targets import ABSTAIN, DATA, SmoothedClassifier
from targets.engine.arithmetic import SMALL
from targets.isolation import isolated


class Progress(Protocol):
    """Is told how a run goes.

    Attributes:
        workers: how many cells run at a time.
    """

    workers: int

    def start(self, cell: Cell, position: int) -> None:
        """A cell begins."""

    def tick(self) -> None:
        """The current cell is still running."""

    def stage(self, what: str, unit: str, done: int, total: int) -> None:
        """So much is done of work that the cell shares with others, as ``resumable.Tell`` hears it."""

    def finish(
        self, cell: Cell, seconds: float, status: str, abstention_rate: float | None = None, broken: str = ""
    ) -> None:
        """A cell is done: "ok", "failed", "stored" (the store had it) or "left out" (it cannot be run).

        ``broken`` says how many of its images broke which part of the budget rule.
        """


Status = Literal["ok", "failed", "stored", "left out", "put off"]


@dataclass(frozen=True)
class Done:
    """What became of a cell.

    Attributes:
        status: "ok" or "failed" if it was run, "stored" if the store had it, "left out" if it cannot be run,
            "put off" if another process is computing what it needs.
        renewed: whether a stored cell got new ceilings.
        abstention_rate: in [0, 1]; None unless it was run.
        broken: how many images broke which part of the budget rule, in words.
    """

    key: str
    target: str
    attack: str
    status: Status
    seconds: float = 0.0
    renewed: bool = False
    abstention_rate: float | None = None
    broken: str = ""


@dataclass(frozen=True)
class Work:
    """A target's cells in a suite, and what they share.

    Attributes:
        request: the command that asks for the cells, which each records.
        progress: is told how the cells go.
        limits: of each attack's call. They need a worker process.
        words: where a worker process says what it was doing when it ended; None in the process of the run.
    """

    suite: Suite
    target: SmoothedClassifier
    store: Store
    request: Request
    progress: Progress
    limits: Limits = field(default_factory=Limits)
    words: TextIO | None = None

    @cached_property
    def cells(self) -> list[Cell]:
        """All of them, in the order in which one process runs them: each best-of cell after its members."""
        plain = list(cells(self.suite, self.target, self.suite.indices(self.target.name)))
        return [*plain, *best_of_cells(self.suite, plain)]

    @cached_property
    def _surrogates(self) -> Surrogates:
        suite = self.suite
        return Surrogates(self.store, self.target, suite.samples, suite.alpha, suite.seed, self.progress.stage)

    @cached_property
    def _cache(self) -> SampleCache:
        return SampleCache(self.target)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return provenance(self.target.device, self.target.arithmetic)

    def held(self, cell: Cell) -> Done | None:
        """What became of a cell that need not or cannot be run; None for one that is to be run."""
        held = cell.held(self.store)
        if held is not None and held.status == "ok":
            held = self.store.ask(held, self.request)
            proof = better_proof(cell, held, self.store)
            if proof is not None:
                with isolated():
                    renew_ceilings(proof, held, self.store, self.progress.stage)
            return Done(held.key, cell.target.name, cell.attack_name, "stored", held.seconds, proof is not None)
        if isinstance(cell, BestOf) and cell.lacks_images(self.store):
            return self._done(cell, "left out")
        return None

    def run(self, cell: Cell, waits: bool = True) -> Done:
        """Run a cell and store it, or store why it failed.

        If another run on this results folder has stored it meanwhile, its cell stays.

        Args:
            waits: for what cells share, while another process computes it. If not, the cell is put off instead.
        """
        begun = time.perf_counter()
        surrogates = CellSurrogates(self._surrogates, Watch(self.limits, self.words))
        progress = self.progress
        try:
            # Isolated also from what a base classifier does to the process's state.
            with isolated(), nullcontext() if waits else without_waiting():
                result = run_cell(cell, self.store, surrogates, self._cache, progress.tick, progress.stage)
        except Busy:
            return self._done(cell, "put off")
        except StoreError:  # no room, or no permission: no attack's fault, and no other cell can be stored
            raise
        except BaseException as error:  # whatever a plugin raises: its traceback is stored, the next run tries again
            if isinstance(error, KeyboardInterrupt) and self.words is None:
                raise  # a worker process ignores Ctrl-C, so there the attack raised it
            reason = traceback.format_exc()
            if self.limits.gigabytes is not None and lacked_memory(error):
                reason += f"OutOfMemory: the attack wanted more than --cell-memory {self.limits.gigabytes:g}"
            return self.fail(cell, reason, time.perf_counter() - begun)
        seconds = time.perf_counter() - begun
        origins = {"surrogates": sorted(surrogates.origins)} if surrogates.origins else {}
        write = partial(
            self.store.write_cell,
            records=frame(result.columns),
            images=result.returned,
            provenance=self._facts | origins,
            seconds=seconds,
            surrogate_queries=self._surrogate_queries(cell, surrogates),
            observed=result.observed,
        )
        if (done := self._put(cell, write)) is not None:
            return done
        columns = result.columns
        rate, broken = np.mean(columns["outcome"] == ABSTAIN), broken_rules(columns["validity"])
        return self._done(cell, "ok", seconds, abstention_rate=float(rate), broken=broken)

    def fail(self, cell: Cell, reason: str, seconds: float) -> Done:
        """Store that a cell failed, and why; the next run tries it again."""
        write = partial(self.store.write_failure, traceback=reason, provenance=self._facts, seconds=seconds)
        return self._put(cell, write) or self._done(cell, "failed", seconds)

    def _put(self, cell: Cell, write: Callable[..., None]) -> Done | None:
        """Store a cell, unless another run on this results folder has stored it meanwhile: what became of it then."""
        with self.store.writing(cell.key):
            held = self.store.cell(cell.key)
            if held is None or held.status != "ok":
                write(cell.key, cell.settings(), asked=self._asked(held))
                return None
        return self.held(cell)

    def _asked(self, held: StoredCell | None) -> list[Request]:
        return [*([] if held is None else [one for one in held.asked if one != self.request]), self.request]

    def _done(self, cell: Cell, status: Status, seconds: float = 0.0, **more: Any) -> Done:
        return Done(cell.key, cell.target.name, cell.attack_name, status, seconds, **more)

    def _surrogate_queries(self, cell: Cell, surrogates: CellSurrogates) -> int:
        if isinstance(cell, BestOf):
            # Its members share the answers, and may all have run before this process began.
            members = map(self.store.cell, (member.key for member in cell.members))
            return max(member.surrogate_queries for member in members if member)
        return surrogates.queries


def is_small(target: SmoothedClassifier) -> bool:
    """Whether its images are so small that a second thread gains nothing."""
    return math.prod(DATA[target.data].shape) <= SMALL
