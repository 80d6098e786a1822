"""An attack under contract, and its runs."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks import ATTACKS, Access, Attack, BudgetExhausted, Meter
from benchmark.kit.clause import Broken, NotApplicable, where
from benchmark.kit.world import World
from benchmark.running.drawn import Drawn
from benchmark.running.evaluation import Sent, enforce
from targets.isolation import isolated


@dataclass(frozen=True)
class Run:
    """One call of an attack.

    Attributes:
        given, labels: the tensors that it got, as it left them.
        images, true: the same as they were.
        returned: whatever it returned.
        seconds: that the call took.
        drawn: whose global random generators it drew from, as "torch's".
        spied: noisy images that the base classifier saw; of them with gradients.
    """

    given: Tensor
    labels: Tensor
    images: Tensor
    true: Tensor
    returned: Any
    meter: Meter
    seconds: float
    drawn: list[str]
    spied: tuple[int, int]


@dataclass
class Bench:
    """An attack by its registered name, in a world.

    Attributes:
        plugin: the file that registers it, for another process to load; None for one that is installed.
        settings: hyper-parameters over the attack's own defaults.
        tolerance: how far two results may be apart, a pixel, that count as the same; 0 for the same to the bit.
        least_share: of the closed-form optimum, that the attack must reach.
        most_seconds: an image, that it may take.
        minimum_norm: whether it may go over the budget, though the attack does not say so itself.
    """

    world: World
    name: str
    plugin: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-5
    least_share: float = 0.0
    most_seconds: float = float("inf")
    minimum_norm: bool = False
    _begun: bool = field(default=False, init=False, repr=False)
    _first: Run | None = field(default=None, init=False, repr=False)

    @cached_property
    def attack(self) -> Attack:
        """Made with its settings."""
        return ATTACKS[self.name](**self.settings)

    def run(self, images: tuple[int, ...] | None = None, query_budget: int | None = None, seed: int = 0) -> Run:
        """Call the attack on images of the world, all of them by default.

        Args:
            seed: of the global random generators, from which it must not draw.

        Raises:
            Broken: it raises.
        """
        chosen = self.world.images if images is None else images
        given, labels = self.world.batch(chosen)
        before = given.clone(), labels.clone()
        access, meter = self.world.granted(self.name, self.attack, chosen, query_budget)
        streams = self.world.streams(self.name, chosen)
        attack = copy.copy(self.attack)
        with isolated(seed), _Spy(self.world) as spy:
            drawn, begun = Drawn(), time.perf_counter()
            try:
                returned = attack(access, given, labels, self.world.epsilon, streams)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # whatever somebody's attack raises
                raise Broken(self._why(error, len(chosen), query_budget)) from error
            seconds, names = time.perf_counter() - begun, drawn.names()
        if isinstance(returned, Tensor):
            returned = returned.detach().clone()
        return Run(given, labels, *before, returned, meter, seconds, names, (spy.samples, spy.with_gradient))

    def begin(self) -> None:
        """Run it on all images, once. Raises :class:`Broken` where it raises; what asks for the run then, does not."""
        if not self._begun:
            self._begun = True
            self._first = self.run()

    @property
    def first(self) -> Run:
        """All images, once. Raises :class:`NotApplicable` where that raised before."""
        self.begin()
        if self._first is None:
            raise NotApplicable("the attack raises")
        return self._first

    @cached_property
    def again(self) -> Run:
        """The same with the global generators seeded otherwise. What it trains was trained by the first run."""
        _ = self.first
        return self.run(seed=12345)

    @cached_property
    def sent(self) -> Sent:
        """What the budget rule makes of the first run. Raises :class:`AttackError` where that is no batch of images."""
        return enforce(self.first.images, self.first.returned, self.world.epsilon)

    @cached_property
    def returned(self) -> Tensor:
        """The first run's images. Raises :class:`AttackError` where they are none."""
        _ = self.sent
        returned: Tensor = self.first.returned.to("cpu", torch.float32)
        return returned

    def _why(self, error: BaseException, images: int, query_budget: int | None) -> str:
        """The error, where it was raised, and what to do where that is known."""
        budget = "" if query_budget is None else f" under a budget of {query_budget} queries"
        text = f"raises on {images} images{budget}: {where(error)}"
        if isinstance(error, BudgetExhausted):
            return f"{text}; ask model.queries_left(row) before each query, and return what there is when it is 0"
        if isinstance(error, AttributeError) and isinstance(error.obj, Access):
            kind = ATTACKS[self.name].access.__name__
            offers = ", ".join(name for name in dir(ATTACKS[self.name].access) if not name.startswith("_"))
            return f"{text}; {kind} access offers {offers} and the public facts, no {error.name}"
        return text


class _Spy:
    """Counts what the base classifier is shown."""

    def __init__(self, world: World) -> None:
        self._base = world.target.base_classifier
        self.samples = 0
        self.with_gradient = 0

    def __enter__(self) -> _Spy:
        self._handle = self._base.register_forward_pre_hook(self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _seen(self, module: object, arguments: tuple[Any, ...]) -> None:
        self.samples += len(arguments[0])
        self.with_gradient += len(arguments[0]) * bool(arguments[0].requires_grad)
