"""Data sets: images in [0, 1], with one split to train the target, one for the adversary and one to evaluate on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from targets.data.copies import Copies, Kept
from targets.data.split import Checked, Split, SplitName
from targets.errors import InputError
from targets.registry import Registry

__all__ = ["DATA", "DataSet", "Split", "SplitName", "evenly_spaced"]


def _nothing() -> None:
    """What a data set lacks that does not say."""


@dataclass(frozen=True)
class DataSet:
    """A data set: the images that the target is trained on, the adversary owns, and attacks are evaluated on.

    Attributes:
        shape: (C, H, W).
        num_classes: K, at least 2.
        split: loads one split. "train" trains the target and shares no image with the others. A transfer attacker
            trains on "adversary". Attacks are evaluated on "evaluation". The loader given here is called once for each
            split; the result is checked (:class:`targets.data.split.Checked`), and every call gets a copy
            (:mod:`targets.data.copies`).
        held_back: "adversary" holds no evaluation image whose index is a multiple of this. It may hold the others, so a
            transfer attack on those would attack its own training images. With 1 it holds none.
        verified: whether ``split`` itself checks that images and labels are the registered ones. Then the name says
            what they are. For any other data set, the keys of results hold digests of the images and labels used.
        size: of "evaluation", in images, where that is known before it is loaded. `run --dry-run` loads nothing.
        lacking: says in one line, without loading anything, what is missing on this machine; None where nothing is.

    Raises:
        InputError: fewer than two classes, a shape that is not three numbers above 0, or a size below 1.
    """

    name: str
    num_classes: int
    shape: tuple[int, int, int]
    split: Callable[[SplitName], Split]
    held_back: int = 1
    verified: bool = False
    size: int | None = None
    lacking: Callable[[], str | None] = _nothing

    def __post_init__(self) -> None:
        sizes = tuple(self.shape)
        if len(sizes) != 3 or not all(_counts(size, 1) for size in sizes):
            raise InputError(f"data set {self.name!r} has shape {sizes}; give (C, H, W), three whole numbers above 0")
        if not _counts(self.num_classes, 2):
            raise InputError(f"data set {self.name!r} has {self.num_classes!r} classes; give 2 or more")
        if not _counts(self.held_back, 1):
            raise InputError(f"held_back of data set {self.name!r} is {self.held_back!r}; give 1 or more")
        if self.size is not None and not _counts(self.size, 1):
            raise InputError(f"size of data set {self.name!r} is {self.size!r}; give 1 or more")
        shape, num_classes = (int(sizes[0]), int(sizes[1]), int(sizes[2])), int(self.num_classes)
        copies = type(self.split) if isinstance(self.split, Copies) else Kept
        load = self.split.load if isinstance(self.split, Copies) else self.split
        load = load.load if isinstance(load, Checked) else load
        for name, value in {
            "shape": shape,
            "num_classes": num_classes,
            "split": copies(Checked(load, self.name, shape, num_classes, self.size)),
        }.items():
            object.__setattr__(self, name, value)

    @property
    def evaluation_size(self) -> int:
        """How many evaluation images there are. They are loaded only where their number is not known before."""
        return len(self.split("evaluation").images) if self.size is None else self.size

    def exposed(self, indices: Iterable[int]) -> list[int]:
        """Those of ``indices`` whose evaluation images the adversary may know."""
        return [index for index in indices if index % self.held_back]


def _counts(value: object, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


class DataSets(Registry[DataSet]):
    """The data sets by name. One that is added without a name is registered under its own."""

    def add(self, name: str | DataSet, entry: DataSet | None = None) -> None:
        """Register a data set. Raises :class:`InputError` if it is not one, or its name is invalid or taken."""
        if entry is None and isinstance(name, DataSet):
            entry, name = name, name.name
        if not isinstance(name, str) or not isinstance(entry, DataSet):
            raise InputError("what is added to DATA is no data set; give DATA.add(NAME, targets.DataSet(NAME, …))")
        super().add(name, entry)

    def __getitem__(self, name: str) -> DataSet:
        """The data set of that name. Raises :class:`InputError` where there is none, and says how one is added."""
        try:
            return super().__getitem__(name)
        except InputError as error:
            raise InputError(f"{error} (targets.register_data adds one of your own)") from None


DATA = DataSets("data set")


def evenly_spaced(available: int, wanted: int, offset: int = 0) -> list[int]:
    """``wanted`` indices spread evenly over ``available``: every 50th of 10,000 for 200, as other papers do.

    Args:
        offset: the first index, from 0 to less than the distance between two.

    Raises:
        InputError: ``wanted`` is not from 1 to ``available``, or ``offset`` leads past the last index.
    """
    if not 1 <= wanted <= available:
        raise InputError(f"{wanted} images asked for; give a number from 1 to {available}")
    if not 0 <= offset < available / wanted:
        most = -(-available // wanted) - 1
        raise InputError(f"{wanted} of {available} images from index {offset} on; give an offset from 0 to {most}")
    return [int(i) + offset for i in np.arange(wanted) * available // wanted]
