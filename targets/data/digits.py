"""The embedded data set: scikit-learn's 1,797 digits of 8×8 pixels.

Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", https://doi.org/10.24432/C50P49
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import numpy as np
import torch

from targets.data import DATA, DataSet, Split, SplitName
from targets.data.digest import digest
from targets.errors import InputError
from targets.registry import unknown

SPLITS: dict[SplitName, slice] = {
    "train": slice(0, 1000),
    "adversary": slice(1000, 1400),
    "evaluation": slice(1400, 1797),
}
"""Disjoint parts of one fixed shuffle."""

DIGEST = "7e8ef6d2517aa5311dcd54ef685a3c6c"
"""Digest of all images and labels in shuffled order."""


@cache
def shuffled() -> Split:
    """All 1,797 digits in the order that the splits are cut from, kept for the process.

    Raises:
        InputError: the installed scikit-learn has others.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.Generator(np.random.PCG64(1797)).permutation(len(labels))
    pixels = (images[order] / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    found = Split(torch.from_numpy(pixels), torch.from_numpy(labels[order].astype(np.int64)))
    if digest(found.images, found.labels) != DIGEST:
        raise InputError(
            f"scikit-learn {version('scikit-learn')} has other digits than those that published results are of; "
            "install another release"
        )
    return found


def split(name: SplitName) -> Split:
    """One split of the digits: images (N, 1, 8, 8) in [0, 1].

    Raises:
        InputError: the installed scikit-learn has others.
    """
    if name not in SPLITS:
        raise unknown("split", name, SPLITS)
    everything = shuffled()
    return Split(everything.images[SPLITS[name]], everything.labels[SPLITS[name]])


DATA.add("digits", DataSet("digits", num_classes=10, shape=(1, 8, 8), split=split, verified=True, size=397))
