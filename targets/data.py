"""Data sets: images in [0, 1], one split to train the target, one for the adversary, one to evaluate on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from targets.copies import Copies, Kept
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
        split: loads one split. "train" trains the target and shares no image with the others; "adversary" is what
            a transfer attacker trains on; "evaluation" is what attacks are evaluated on. What is given here is asked
            once for each, and every call gets a copy (see :mod:`targets.copies`).
        held_back: "adversary" holds no evaluation image whose index this divides. It may hold the others, and a
            transfer attack on those would attack what it was trained on; with 1 it holds none.
        verified: whether ``split`` itself checks that images and labels are the registered ones, so that the name
            says what they are. Of any other, digests of what they use are in the keys of results.
    """

    name: str
    num_classes: int
    shape: tuple[int, int, int]
    split: Callable[[SplitName], Split]
    held_back: int = 1
    verified: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.split, Copies):
            object.__setattr__(self, "split", Kept(self.split))

    def exposed(self, indices: Iterable[int]) -> list[int]:
        """Those of the evaluation images' indices that the adversary may know."""
        return [index for index in indices if index % self.held_back]


DATA: Registry[DataSet] = Registry("data set")


def evenly_spaced(available: int, wanted: int) -> list[int]:
    """``wanted`` indices spread evenly over ``available``: every 50th of 10,000 for 200, as the field does."""
    if not 1 <= wanted <= available:
        raise InputError(f"{wanted} images asked for; give a number from 1 to {available}")
    return [int(i) for i in np.arange(wanted) * available // wanted]
