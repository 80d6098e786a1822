"""The surrogates that one cell's attack uses, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import nn

from attacks.access import Fit, SameDataFit
from benchmark.running.limits import Watch
from benchmark.running.plugin_code import plugin_code
from benchmark.running.surrogates import Build, Surrogates, Trained
from leaderboard.errors import StoreError
from leaderboard.stored.lock import Busy


@dataclass
class CellSurrogates:
    """Hands a target's surrogates to one cell's attack, and records what it used.

    Attributes:
        queries: decision queries behind the answers that its surrogates were trained on. Several share the answers.
        seconds: that loading and training took during the cell. It is no cost of the cell: others use them too.
        origins: where its surrogates come from.
        hindered: why one of them could not be given, through no fault of the attack: another process is at work on it,
            and this one was not to wait; or it cannot be stored.
        watch: keeps the attack within its limits. Loading and training are not in them.
    """

    surrogates: Surrogates
    watch: Watch = field(default_factory=Watch)
    queries: int = 0
    seconds: float = 0.0
    origins: set[str] = field(default_factory=set)
    hindered: Busy | StoreError | None = None

    def of_answers(self, recipe: str, build: Build, fit: Fit) -> nn.Module:
        """A surrogate that is trained on the target's answers."""
        self.queries = len(self.surrogates.answers.images)
        with self._asked():
            return self._recorded(self.surrogates.of_answers(recipe, plugin_code()(build), plugin_code()(fit)))

    def of_same_data(self, recipe: str, build: Build, fit: SameDataFit) -> nn.Module:
        """A surrogate that is trained on the target's training set; it needs no query."""
        with self._asked():
            return self._recorded(self.surrogates.of_same_data(recipe, plugin_code()(build), plugin_code()(fit)))

    @contextmanager
    def needed(self) -> Iterator[None]:
        """The attack's call. Where it was hindered, nothing that it returns or raises counts: it may have caught that.

        Raises:
            Busy, StoreError: what hindered it.
        """
        try:
            yield
        finally:
            if self.hindered is not None:
                raise self.hindered

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            with self.watch.paused():
                yield
        except (Busy, StoreError) as error:
            self.hindered = error
            raise

    def _recorded(self, trained: Trained) -> nn.Module:
        self.seconds += trained.seconds
        self.origins.add(trained.origin)
        return trained.module
