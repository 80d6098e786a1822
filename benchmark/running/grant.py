"""Granting access: the only place where a target becomes something that an attack can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks import Access, Decision, Deployment, Hybrid, Meter, NoAccess, Score, Transfer, WhiteBox
from attacks.access import Fit, Predict, SameDataFit, SameDataSurrogate, Surrogate, Votes
from benchmark.cell import Cell
from benchmark.plugins.sources import OURS
from benchmark.running.memory import Memory
from targets import DATA


class Surrogates(Protocol):
    """Trains surrogates, or has them: see :class:`attacks.Transfer`."""

    def of_answers(self, recipe: str, build: Callable[[], nn.Module], fit: Fit) -> nn.Module:
        """One trained on the target's answers."""

    def of_same_data(self, recipe: str, build: Callable[[], nn.Module], fit: SameDataFit) -> nn.Module:
        """One trained on the target's training set."""


def grant(cell: Cell, meter: Meter, surrogates: Surrogates, memory: Memory | None = None) -> Access:
    """The access object of a cell's attack, holding functions of the target and never the target.

    Args:
        memory: remembers answers across cells; one for this cell without.
    """
    target, suite = cell.target, cell.suite
    memory = memory or Memory(target)
    shape = DATA[target.data].shape
    deployment = Deployment(target.num_classes, shape, target.sigma, suite.samples, suite.alpha)
    kind = cell.attack.access
    if kind is NoAccess:
        return NoAccess(deployment, meter)
    if kind is Transfer:
        return Transfer(*_surrogates(cell, surrogates), deployment, meter)
    if kind is Hybrid:
        return Hybrid(*_surrogates(cell, surrogates), _predict(cell, memory), _own_images(cell), deployment, meter)
    if kind is WhiteBox:
        return WhiteBox(target.logits, deployment, meter)
    if kind is Score:
        return Score(_votes(cell, memory), deployment, meter)
    if kind is Decision:
        return Decision(_predict(cell, memory), _own_images(cell), deployment, meter)
    raise TypeError(f"no access is granted for {kind.__name__}")


def _surrogates(cell: Cell, surrogates: Surrogates) -> tuple[Surrogate, SameDataSurrogate]:
    """Both kinds, as functions behind which the target cannot be reached."""

    def surrogate(key: str, build: Callable[[], nn.Module], fit: Fit) -> nn.Module:
        return surrogates.of_answers(_recipe(key, cell, build, fit), build, fit)

    def same_data_surrogate(key: str, build: Callable[[], nn.Module], fit: SameDataFit) -> nn.Module:
        return surrogates.of_same_data(_recipe(key, cell, build, fit), build, fit)

    return surrogate, same_data_surrogate


def _recipe(key: str, cell: Cell, *functions: Callable[..., Any]) -> str:
    """What a surrogate is known by: a plugin that trains it itself may be edited and leave its key as it is."""
    if all(_room(function) in OURS for function in functions):
        return key
    return f"{key}, code {cell.attack.version}"


def _room(function: Callable[..., Any]) -> str:
    """The package or module that a function is of."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__module__", type(function).__module__)).partition(".")[0]


def _keys(cell: Cell, rows: Sequence[int], ordinals: Sequence[int]) -> dict[str, Any]:
    """Each query has noise of its own, keyed by the image and by how many of its queries went before."""
    return {
        "seed": cell.suite.seed,
        "purpose": f"query {cell.attack_name} {cell.epsilon!r}",
        "indices": [(cell.images[row], ordinal) for row, ordinal in zip(rows, ordinals, strict=True)],
    }


def _votes(cell: Cell, memory: Memory) -> Votes:
    def votes(images: Tensor, rows: Sequence[int], ordinals: Sequence[int], samples: int) -> NDArray[np.int64]:
        return memory.votes(images, samples, **_keys(cell, rows, ordinals))

    return votes


def _predict(cell: Cell, memory: Memory) -> Predict:
    def predict(images: Tensor, rows: Sequence[int], ordinals: Sequence[int]) -> NDArray[np.int64]:
        return memory.predict(images, cell.suite.samples, cell.suite.alpha, **_keys(cell, rows, ordinals))

    return predict


def _own_images(cell: Cell) -> Callable[[], Tensor]:
    name = cell.target.data
    return lambda: DATA[name].split("adversary").images
