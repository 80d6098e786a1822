"""An attack's call, in which nothing that others need can be changed."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor

from attacks import Access, Attack
from targets.isolation import isolated
from targets.noise import Streams, keyed_generator


def attempt(attack: Attack, access: Access, images: Tensor, labels: Tensor, epsilon: float, streams: Streams) -> Any:
    """What ``attack`` returns for images (N, C, H, W) and labels (N,), which may be no batch of images.

    It gets copies, and a tensor that it returns is one. What it does to the process's state is undone, and the global
    random generators are seeded by its key: one that draws from them, against the contract, repeats at least.
    """
    seed = int(keyed_generator(*streams.key, "process", *streams.images).integers(2**31))
    with isolated(seed):
        returned = copy.copy(attack)(access, images.clone(), labels.clone(), epsilon, streams)
    return returned.detach().clone() if isinstance(returned, Tensor) else returned
