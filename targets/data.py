"""Data sets: images in [0, 1] in three disjoint splits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from targets.errors import InputError
from targets.registry import Registry

SplitName = Literal["train", "adversary", "evaluation"]


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W) float32 in [0, 1] and labels (N,) int64."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class DataSet:
    """What a target is trained on, what the adversary owns, and what attacks are evaluated on.

    Attributes:
        shape: (C, H, W).
        split: loads one split; "train" trains the target, "adversary" is the attacker's, and "evaluation" is
            seen by neither.
    """

    name: str
    num_classes: int
    shape: tuple[int, int, int]
    split: Callable[[SplitName], Split]


DATA: Registry[DataSet] = Registry("data set")


def evenly_spaced(available: int, wanted: int) -> list[int]:
    """``wanted`` indices spread evenly over ``available``: every 50th of 10,000 for 200, as the field does."""
    if not 1 <= wanted <= available:
        raise InputError(f"{wanted} images asked for; give a number from 1 to {available}")
    return [int(i) for i in np.arange(wanted) * available // wanted]
