"""The call of an attack: isolated, so that it can change nothing that other cells use."""

from __future__ import annotations

import copy
import logging
from functools import cache
from typing import Any

from torch import Tensor

from attacks import Access, Attack
from benchmark.running.drawn import Drawn
from targets.isolation import isolated
from targets.noise import Streams, keyed_generator

_log = logging.getLogger("abstention_bench")


def call_attack(
    attack: Attack, access: Access, images: Tensor, labels: Tensor, epsilon: float, streams: Streams
) -> Any:
    """What ``attack`` returns for images (N, C, H, W) and labels (N,), whatever that is.

    The attack gets copies of both, and of a tensor that it returns the caller gets a copy. Its changes to the process's
    state are undone. The global random generators are seeded by its key, so that an attack that draws from them,
    against the contract, is at least repeatable.
    """
    seed = int(keyed_generator(*streams.key, "process", *streams.images).integers(2**31))
    with isolated(seed):
        drawn = Drawn()
        returned = copy.copy(attack)(access, images.clone(), labels.clone(), epsilon, streams)
        names = drawn.names()
    if names:
        _notice(type(attack).__name__, " and ".join(names))
    return returned.detach().clone() if isinstance(returned, Tensor) else returned


@cache
def _notice(attack: str, whose: str) -> None:
    """Say, once a process, that an attack draws from a global random generator."""
    _log.warning(
        "notice: attack class %s draws from %s global random generator, or seeds it: its results depend on the batch; "
        "draw from the generator that it is given",
        attack,
        whose,
    )
