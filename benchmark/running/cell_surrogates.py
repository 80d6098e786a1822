"""The surrogates that one cell's attack uses, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from attacks.access import Fit, SameDataFit
from benchmark.running.limits import Watch
from benchmark.running.surrogates import Build, Surrogates, Trained


@dataclass
class CellSurrogates:
    """Hands a target's surrogates to one cell's attack, and records what it used.

    Attributes:
        queries: decision queries behind the answers that its surrogates were trained on. Several share the answers.
        seconds: that loading and training took during the cell. It is no cost of the cell: others use them too.
        origins: where its surrogates come from.
        watch: keeps the attack within its limits. Loading and training are not in them.
    """

    surrogates: Surrogates
    watch: Watch = field(default_factory=Watch)
    queries: int = 0
    seconds: float = 0.0
    origins: set[str] = field(default_factory=set)

    def of_answers(self, recipe: str, build: Build, fit: Fit) -> nn.Module:
        """A surrogate that is trained on the target's answers."""
        self.queries = len(self.surrogates.answers.images)
        with self.watch.paused():
            return self._recorded(self.surrogates.of_answers(recipe, build, fit))

    def of_same_data(self, recipe: str, build: Build, fit: SameDataFit) -> nn.Module:
        """A surrogate that is trained on the target's training set; it needs no query."""
        with self.watch.paused():
            return self._recorded(self.surrogates.of_same_data(recipe, build, fit))

    def _recorded(self, trained: Trained) -> nn.Module:
        self.seconds += trained.seconds
        self.origins.add(trained.origin)
        return trained.module
