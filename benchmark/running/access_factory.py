"""Access: the only place where a target becomes something that an attack can hold."""

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
from benchmark.running.sample_cache import SampleCache
from targets import DATA


class Lender(Protocol):
    """Gives an attack its surrogates: see :class:`attacks.Transfer`."""

    def of_answers(self, recipe: str, build: Callable[[], nn.Module], fit: Fit) -> nn.Module:
        """A surrogate that is trained on the target's answers."""

    def of_same_data(self, recipe: str, build: Callable[[], nn.Module], fit: SameDataFit) -> nn.Module:
        """A surrogate that is trained on the target's training set."""


def grant(cell: Cell, meter: Meter, surrogates: Lender, cache: SampleCache | None = None) -> Access:
    """The access object of a cell's attack. It holds functions of the target and never the target itself.

    Args:
        meter: counts what the attack uses.
        surrogates: where the attack gets its surrogates from.
        cache: keeps the target's answers for other cells. Without one, this cell has its own.
    """
    target, suite = cell.target, cell.suite
    cache = cache or SampleCache(target)
    shape = DATA[target.data].shape
    deployment = Deployment(target.num_classes, shape, target.sigma, suite.samples, suite.alpha)
    kind = cell.attack.access
    if kind is NoAccess:
        return NoAccess(deployment, meter)
    if kind is Transfer:
        return Transfer(*_surrogates(cell, surrogates), deployment, meter)
    if kind is Hybrid:
        return Hybrid(*_surrogates(cell, surrogates), _predict(cell, cache), _own_images(cell), deployment, meter)
    if kind is WhiteBox:
        return WhiteBox(target.logits, deployment, meter)
    if kind is Score:
        return Score(_votes(cell, cache), deployment, meter)
    if kind is Decision:
        return Decision(_predict(cell, cache), _own_images(cell), deployment, meter)
    raise TypeError(f"no access is granted for {kind.__name__}")


def _surrogates(cell: Cell, surrogates: Lender) -> tuple[Surrogate, SameDataSurrogate]:
    """Both kinds, as functions through which the target cannot be reached."""

    def surrogate(key: str, build: Callable[[], nn.Module], fit: Fit) -> nn.Module:
        return surrogates.of_answers(_recipe(key, cell, build, fit), build, fit)

    def same_data_surrogate(key: str, build: Callable[[], nn.Module], fit: SameDataFit) -> nn.Module:
        return surrogates.of_same_data(_recipe(key, cell, build, fit), build, fit)

    return surrogate, same_data_surrogate


def _recipe(key: str, cell: Cell, *functions: Callable[..., Any]) -> str:
    """What a surrogate is stored under: its key, with the code's version where a plugin's code builds or trains it.

    A plugin may be edited without a change of its key.
    """
    if all(_package(function) in OURS for function in functions):
        return key
    return f"{key}, code {cell.attack.version}"


def _package(function: Callable[..., Any]) -> str:
    """The top-level package or module that a function is defined in."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__module__", type(function).__module__)).partition(".")[0]


def _keys(cell: Cell, rows: Sequence[int], ordinals: Sequence[int]) -> dict[str, Any]:
    """Each query has its own noise, keyed by the image and the number of its queries before this one."""
    return {
        "seed": cell.suite.seed,
        "purpose": f"query {cell.attack_name} {cell.epsilon!r}",
        "indices": [(cell.images[row], ordinal) for row, ordinal in zip(rows, ordinals, strict=True)],
    }


def _votes(cell: Cell, cache: SampleCache) -> Votes:
    def votes(images: Tensor, rows: Sequence[int], ordinals: Sequence[int], samples: int) -> NDArray[np.int64]:
        return cache.votes(images, samples, **_keys(cell, rows, ordinals))

    return votes


def _predict(cell: Cell, cache: SampleCache) -> Predict:
    def predict(images: Tensor, rows: Sequence[int], ordinals: Sequence[int]) -> NDArray[np.int64]:
        return cache.predict(images, cell.suite.samples, cell.suite.alpha, **_keys(cell, rows, ordinals))

    return predict


def _own_images(cell: Cell) -> Callable[[], Tensor]:
    name = cell.target.data
    return lambda: DATA[name].split("adversary").images
