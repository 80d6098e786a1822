"""CIFAR-10: 50,000 training and 10,000 test images of 32×32 pixels in ten classes.

Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images", https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import os
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from targets.cache import cache_folder
from targets.data import DATA, DataSet, Split, SplitName
from targets.data.copies import Copies
from targets.errors import InputError
from targets.registry import unknown

VARIABLE = "ABSTENTION_BENCH_DATA"
"""Environment variable: the folder that holds ``cifar-10-batches-py``. :func:`use_folder` overrides it."""

HELD_BACK = 10
"""Every tenth test image is kept from the adversary. Boards of up to 1,000 evenly spaced images attack only those."""

FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
"""In the folder ``cifar-10-batches-py``."""


@cache
def load_files(folder: str | None, train: bool) -> Split:
    """The training or the test images from the files in ``folder``, or downloaded to the cache folder for None.

    Both are kept for the process; whoever is given a split must not write into it.

    Raises:
        InputError: no intact copy is found.
    """
    from torchvision.datasets import CIFAR10

    kept = cache_folder()
    try:
        if folder is not None:
            data = CIFAR10(folder, train=train, download=False)
        elif kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            data = CIFAR10(str(kept), train=train, download=True)
        else:
            raise InputError(
                f"there is no home folder to keep CIFAR-10 in; give its folder by --data DIR or {VARIABLE}"
            )
    except (RuntimeError, OSError) as error:  # torchvision's for missing or damaged files, and the network's
        if folder is None:
            raise InputError(
                f"CIFAR-10 is not in {kept} and could not be downloaded ({_line(error)}); "
                f"give its folder by --data DIR or {VARIABLE}"
            ) from error
        raise InputError(
            f"no intact CIFAR-10 in {folder}; give by --data DIR or {VARIABLE} the folder that holds "
            "cifar-10-batches-py, or neither to have it downloaded"
        ) from error
    pixels = np.ascontiguousarray(data.data.transpose(0, 3, 1, 2))
    return Split(torch.from_numpy(pixels).float().div_(255), torch.tensor(data.targets))


def _line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def split(name: SplitName, folder: str | None = None) -> Split:
    """One split of CIFAR-10: images (N, 3, 32, 32) in [0, 1].

    The target is trained on the 50,000 training images. The adversary knows the test images, as in Covington's paper,
    except every tenth. "evaluation" is the whole test set in its own order, so that indices are those of other papers.
    torchvision checks the files against the official MD5 sums.

    Args:
        folder: holds ``cifar-10-batches-py``. Without one, the folder is the one in :data:`VARIABLE`; if that is not
            set either, CIFAR-10 is downloaded into the cache.

    Raises:
        InputError: no intact copy is found; the message says where it looked.
    """
    folder = folder or os.environ.get(VARIABLE) or None
    if name == "train":
        return load_files(folder, True)
    test = load_files(folder, False)
    if name == "evaluation":
        return test
    if name == "adversary":
        known = torch.arange(len(test.labels)) % HELD_BACK != 0
        return Split(test.images[known], test.labels[known])
    raise unknown("split", name, ("train", "adversary", "evaluation"))


def lacking(folder: str | None = None) -> str | None:
    """What a run would say or do for lack of the files, which are looked for and not read; None where they are there.

    Args:
        folder: as in :func:`split`.
    """
    named = folder or os.environ.get(VARIABLE) or None
    place = named or cache_folder()
    if place is None:
        return f"there is no home folder to keep CIFAR-10 in; give its folder by --data DIR or {VARIABLE}"
    if all((Path(place) / "cifar-10-batches-py" / name).is_file() for name in FILES):
        return None
    if named is None:
        return (
            f"CIFAR-10 is not in {place}; a run downloads it (170 MB), or give its folder by --data DIR or {VARIABLE}"
        )
    return (
        f"CIFAR-10 is not in {place}, and a run needs it; give by --data DIR or {VARIABLE} the folder that holds "
        "cifar-10-batches-py, or neither to have it downloaded"
    )


def data_set(folder: str | None = None) -> DataSet:
    """CIFAR-10 from a folder: see :func:`split`."""
    return DataSet(
        "cifar10",
        num_classes=10,
        shape=(3, 32, 32),
        # load_files keeps what it loads, by folder. Copies keeps nothing itself.
        split=Copies(partial(split, folder=folder)),
        held_back=HELD_BACK,
        verified=True,
        size=10_000,
        lacking=partial(lacking, folder),
    )


def use_folder(folder: Path | None) -> None:
    """Have this process load CIFAR-10 from a folder, whatever :data:`VARIABLE` says; None changes nothing."""
    if folder is not None:
        DATA.replace("cifar10", data_set(str(folder)))


DATA.add(data_set())
