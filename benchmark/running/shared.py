"""What cells share: votes on clean images, the target's answers to the adversary, and surrogates."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks.access import Fit, SameDataFit
from benchmark.cell import CEILING_VERSION, PROTOCOL, key_of
from benchmark.provenance import provenance
from benchmark.running.pieces import Arrays, Tell, computed_once, silent
from benchmark.running.shipped import shipped
from leaderboard import Store
from targets import DATA, SmoothedClassifier
from targets.arithmetic import elsewhere
from targets.digest import content
from targets.gradient import Halves
from targets.isolation import isolated

PURPOSE = "ceiling"
"""Of the noise that ceilings are proven from."""


def shared_votes(
    store: Store,
    target: SmoothedClassifier,
    images: Tensor,
    indices: Sequence[int],
    n: int,
    seed: int,
    purpose: str,
    tell: Tell = silent,
) -> NDArray[np.int64]:
    """Votes (N, K) of a target on unchanged images, computed once and read from the store ever after."""

    def compute(chosen: range) -> Arrays:
        keys = [indices[i] for i in chosen]
        return {"votes": target.votes(images[_slice(chosen)], n, seed=seed, purpose=purpose, indices=keys)}

    told = partial(tell, f"{purpose} votes", "images", total=len(indices))
    return _computed_once(store, target, "votes", indices, n, seed, purpose, compute, told)["votes"]


def shared_evidence(
    store: Store,
    target: SmoothedClassifier,
    images: Tensor,
    indices: Sequence[int],
    n: int,
    seed: int,
    tell: Tell = silent,
) -> tuple[NDArray[np.int64], Halves]:
    """What a target's ceilings on these images are proven from, likewise: see `SmoothedClassifier.evidence`."""

    def compute(chosen: range) -> Arrays:
        keys = [indices[i] for i in chosen]
        votes, halves = target.evidence(images[_slice(chosen)], n, seed=seed, purpose=PURPOSE, indices=keys)
        return {"votes": votes, "products": halves.products, "lengths": halves.lengths}

    what, told = f"evidence, version {CEILING_VERSION}", partial(tell, "ceilings", "images", total=len(indices))
    found = _computed_once(store, target, what, indices, n, seed, PURPOSE, compute, told)
    return found["votes"], Halves(found["products"], found["lengths"])


def _computed_once(
    store: Store,
    target: SmoothedClassifier,
    what: str,
    indices: Sequence[int],
    n: int,
    seed: int,
    purpose: str,
    compute: Callable[[range], Arrays],
    tell: Callable[[int], None],
) -> Arrays:
    settings = {
        "protocol": PROTOCOL,
        "what": what,
        **target.identity,
        **content(target.data, "images"),
        "purpose": purpose,
        "n": n,
        "seed": seed,
        "images": list(indices),
    }
    if held := _held(store, settings):
        return held[1]
    return computed_once(store, key_of(settings), settings, len(indices), compute, tell)


def _slice(chosen: range) -> slice:
    return slice(chosen.start, chosen.stop)


def _held(store: Store, settings: dict[str, Any]) -> tuple[str, Arrays] | None:
    """What is stored under these settings, else under those of a machine with another arithmetic, as adopted it is.

    With its key.
    """
    keys = (key_of(found) for found in (settings, *elsewhere(settings)))
    return next(((key, stored) for key in keys if (stored := store.shared(key)) is not None), None)


TRAVELS = ("votes", f"evidence, version {CEILING_VERSION}", "answers", "surrogate", "surrogate of the same data")
"""What is published beside a board. No pictures: those that `reproduce` keeps in the same folder are not for it."""


def travels(key: str, settings: dict[str, Any]) -> bool:
    """Whether what a store holds under a key is one of those, and is of `run`: other keys are of other experiments."""
    return settings.get("what") in TRAVELS and key_of(settings) == key


SHIPPED = "shipped with the program"
"""The origin of surrogates that nobody need train."""

SHARD = 250
"""Images of the adversary whose answers are stored together: a minute's work on two cores at n = 1,000."""


@dataclass
class Surrogates:
    """The surrogates of one target, each trained once.

    Attributes:
        queries: decision queries behind the answers that were used since this was set to 0, by one surrogate or more.
        seconds: time that training has taken.
        origins: where those come from that were used since this was emptied: `SHIPPED`, or what trained them.
        tell: hears of answers and epochs.
    """

    store: Store
    target: SmoothedClassifier
    n: int
    alpha: float
    seed: int
    queries: int = 0
    seconds: float = 0.0
    origins: set[str] = field(default_factory=set)
    tell: Tell = silent
    _trained: dict[str, tuple[Arrays, str]] = field(default_factory=dict)

    def of_answers(self, recipe: str, build: Callable[[], nn.Module], fit: Fit) -> nn.Module:
        """The surrogate of that recipe, trained on the target's answers, if it is not in memory or store."""
        self.queries = len(self._adversary)
        settings = {
            "protocol": PROTOCOL,
            "what": "surrogate",
            **self.target.identity,
            **content(self.target.data, "adversary"),
            "recipe": recipe,
            "n": self.n,
            "alpha": self.alpha,
            "seed": self.seed,
        }

        def train(module: nn.Module, seed: int, checkpoint: Path) -> None:
            answers = torch.from_numpy(self._answers(self._adversary)).to(self.target.device)
            options = self._accepted(fit, checkpoint=checkpoint)
            fit(module, self._adversary.to(self.target.device, copy=True), answers, seed, **options)

        return self._once(settings, build, train)

    @cached_property
    def _adversary(self) -> Tensor:
        """The adversary's images, which leave here as copies."""
        return DATA[self.target.data].split("adversary").images

    def of_same_data(self, recipe: str, build: Callable[[], nn.Module], fit: SameDataFit) -> nn.Module:
        """The same, trained on the target's training set; all targets on that data share it."""
        settings = {
            "protocol": PROTOCOL,
            "what": "surrogate of the same data",
            "data": self.target.data,
            **content(self.target.data, "training"),
            "recipe": recipe,
            "seed": self.seed,
        }

        def train(module: nn.Module, seed: int, checkpoint: Path) -> None:
            fit(module, DATA[self.target.data].split("train"), seed, checkpoint, **self._accepted(fit))

        return self._once(settings, build, train)

    def _accepted(self, fit: Callable[..., None], **options: Any) -> dict[str, Any]:
        """Of the options that a fit may have, those that it has."""
        options["progress"] = partial(self.tell, "surrogate", "epochs")
        return {name: value for name, value in options.items() if name in inspect.signature(fit).parameters}

    def _once(
        self,
        settings: dict[str, Any],
        build: Callable[[], nn.Module],
        train: Callable[[nn.Module, int, Path], None],
    ) -> nn.Module:
        """A module of the caller's own: what cells share is its weights, kept as arrays.

        It is built anew even after training, which may leave another memory layout and with it other rounding behind.
        """
        key = key_of(settings)
        seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "little")
        if key not in self._trained:
            begun = time.perf_counter()
            self._trained[key] = self._weights(key, seed, settings, build, train)
            self.seconds += time.perf_counter() - begun
        weights, origin = self._trained[key]
        self.origins.add(origin)
        with isolated(seed):
            module = build().to(self.target.device)
        module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        return module.eval().requires_grad_(False)

    def _weights(
        self,
        key: str,
        seed: int,
        settings: dict[str, Any],
        build: Callable[[], nn.Module],
        train: Callable[[nn.Module, int, Path], None],
    ) -> tuple[Arrays, str]:
        """The trained weights by name, and their origin: of the store, else of the package, else trained and stored."""
        if held := _held(self.store, settings):
            return held[1], self.store.made_by(held[0])
        if (weights := shipped(key)) is not None:
            return weights, SHIPPED
        with self.store.turn(key):
            weights = self.store.shared(key) or self._trained_now(key, seed, settings, build, train)
        return weights, self.store.made_by(key)

    def _trained_now(
        self,
        key: str,
        seed: int,
        settings: dict[str, Any],
        build: Callable[[], nn.Module],
        train: Callable[[nn.Module, int, Path], None],
    ) -> Arrays:
        with isolated(seed):
            module = build().to(self.target.device)
            train(module, seed, self.store.checkpoint(key))
        weights = {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}
        facts = provenance(self.target.device)
        self.store.write_shared(key, settings, weights, made_by=f"{facts['device']}, torch {facts['torch']}")
        return weights

    def _answers(self, images: Tensor) -> NDArray[np.int64]:
        """PREDICT's answers to the adversary's images, stored a shard at a time: on large images they take an hour."""
        parts = [
            self._stored_answers(images, range(start, min(start + SHARD, len(images))))
            for start in range(0, len(images), SHARD)
        ]
        return np.concatenate(parts)

    def _stored_answers(self, images: Tensor, chosen: range) -> NDArray[np.int64]:
        settings = {
            "protocol": PROTOCOL,
            "what": "answers",
            **self.target.identity,
            **content(self.target.data, "adversary"),
            "purpose": "adversary",
            "n": self.n,
            "alpha": self.alpha,
            "seed": self.seed,
            "images": [chosen.start, chosen.stop],
        }

        def compute(part: range) -> Arrays:
            rows = range(chosen.start + part.start, chosen.start + part.stop)
            answers = self.target.predict(
                images[_slice(rows)], self.n, self.alpha, self.seed, purpose="adversary", indices=list(rows)
            )
            return {"answers": answers}

        def tell(done: int) -> None:
            self.tell("answers to the adversary", "images", chosen.start + done, len(images))

        if held := _held(self.store, settings):
            return held[1]["answers"]
        return computed_once(self.store, key_of(settings), settings, len(chosen), compute, tell)["answers"]
