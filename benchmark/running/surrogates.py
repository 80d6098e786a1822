"""The surrogates of one target: each is trained once, stored, and used by every cell that asks for it."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from attacks.access import Fit, SameDataFit
from benchmark.key import PROTOCOL, key_of
from benchmark.provenance import provenance
from benchmark.running.adversary_answers import AdversaryAnswers
from benchmark.running.resumable import Arrays, Report, find, silent
from benchmark.running.shipped import shipped
from leaderboard import Store
from targets import DATA, SmoothedClassifier
from targets.data.digest import content
from targets.isolation import isolated

OF_ANSWERS, OF_SAME_DATA = "surrogate", "surrogate of the same data"
"""What the store calls the two kinds."""

SHIPPED = "shipped with the program"
"""The origin of a surrogate that comes with the package."""

Build = Callable[[], nn.Module]
Train = Callable[[nn.Module, int, Path], None]
"""(untrained module, seed, checkpoint): trains the module in place."""


@dataclass(frozen=True)
class Trained:
    """A surrogate, and what it took to get it.

    Attributes:
        module: the caller's own copy, in evaluation mode, without parameter gradients.
        origin: `SHIPPED`, or the device and torch version that trained it.
        seconds: that loading or training took now; 0 where it was in memory.
    """

    module: nn.Module
    origin: str
    seconds: float


@dataclass(frozen=True)
class Surrogates:
    """The surrogates of one target.

    Attributes:
        n, alpha: PREDICT's, for the answers that surrogates are trained on.
        seed: keys answers and training.
        report: is told of answers and epochs.
    """

    store: Store
    target: SmoothedClassifier
    n: int
    alpha: float
    seed: int
    report: Report = silent
    _in_memory: dict[str, tuple[Arrays, str]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def answers(self) -> AdversaryAnswers:
        """The target's answers that surrogates are trained on."""
        return AdversaryAnswers(self.store, self.target, self.n, self.alpha, self.seed, self.report)

    def of_answers(self, recipe: str, build: Build, fit: Fit) -> Trained:
        """The surrogate of that recipe that is trained on the target's answers."""
        settings = {
            "protocol": PROTOCOL,
            "what": OF_ANSWERS,
            **self.target.identity,
            **content(self.target.data, "adversary"),
            "recipe": recipe,
            "n": self.n,
            "alpha": self.alpha,
            "seed": self.seed,
        }

        def train(module: nn.Module, seed: int, checkpoint: Path) -> None:
            labels = torch.from_numpy(self.answers.labels()).to(self.target.device)
            images = self.answers.images.to(self.target.device, copy=True)
            fit(module, images, labels, seed, **self._accepted(fit, checkpoint=checkpoint))

        return self._once(settings, build, train)

    def of_same_data(self, recipe: str, build: Build, fit: SameDataFit) -> Trained:
        """The one that is trained on the target's training set. All targets on that data share it."""
        settings = {
            "protocol": PROTOCOL,
            "what": OF_SAME_DATA,
            "data": self.target.data,
            **content(self.target.data, "training"),
            "recipe": recipe,
            "seed": self.seed,
        }

        def train(module: nn.Module, seed: int, checkpoint: Path) -> None:
            fit(module, DATA[self.target.data].split("train"), seed, checkpoint, **self._accepted(fit))

        return self._once(settings, build, train)

    def _accepted(self, fit: Callable[..., None], **options: Any) -> dict[str, Any]:
        """Those of the optional arguments that ``fit`` has parameters for."""
        options["progress"] = partial(self.report, "surrogate", "epochs")
        return {name: value for name, value in options.items() if name in inspect.signature(fit).parameters}

    def _once(self, settings: dict[str, Any], build: Build, train: Train) -> Trained:
        """A module of the caller's own: cells share its weights, kept as arrays.

        The module is built anew even after training, which may leave another memory layout behind, and so other
        rounding.
        """
        key = key_of(settings)
        seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "little")
        seconds = 0.0
        if key not in self._in_memory:
            begun = time.perf_counter()
            self._in_memory[key] = self._weights(key, seed, settings, build, train)
            seconds = time.perf_counter() - begun
        weights, origin = self._in_memory[key]
        with isolated(seed):
            module = build().to(self.target.device)
        module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        return Trained(module.eval().requires_grad_(False), origin, seconds)

    def _weights(self, key: str, seed: int, settings: dict[str, Any], build: Build, train: Train) -> tuple[Arrays, str]:
        """The trained weights by name, and their origin: from the store, else the package, else trained and stored."""
        if (entry := find(self.store, settings)) is not None:
            return entry.arrays, self.store.made_by(entry.key)
        if (weights := shipped(key)) is not None:
            return weights, SHIPPED
        with self.store.turn(key):
            weights = self.store.shared(key) or self._trained_now(key, seed, settings, build, train)
        return weights, self.store.made_by(key)

    def _trained_now(self, key: str, seed: int, settings: dict[str, Any], build: Build, train: Train) -> Arrays:
        with isolated(seed):
            module = build().to(self.target.device)
            train(module, seed, self.store.checkpoint(key))
        weights = {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}
        facts = provenance(self.target.device)
        self.store.write_shared(key, settings, weights, made_by=f"{facts['device']}, torch {facts['torch']}")
        return weights
