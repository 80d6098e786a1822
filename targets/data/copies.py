"""Copies of splits: the caller may scale, clip or shuffle a split in place without changing it for others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from targets.data.split import Split, SplitName
from targets.isolation import isolated


def copy_of(split: Split) -> Split:
    """A split with the same images and labels in memory of its own."""
    return replace(split, images=split.images.clone(), labels=split.labels.clone())


class Copies:
    """Wraps a data set's loader so that each call gives a copy.

    Args:
        load: loads a split, which no one else may write into.
    """

    def __init__(self, load: Callable[[SplitName], Split]) -> None:
        self.load = load

    def __call__(self, name: SplitName) -> Split:
        """A copy of one split."""
        return copy_of(self.load(name))


class Kept(Copies):
    """The same for a loader whose splits others may change: each split is loaded once and kept as it was then."""

    def __init__(self, load: Callable[[SplitName], Split]) -> None:
        super().__init__(load)
        self._held: dict[SplitName, Split] = {}

    def __call__(self, name: SplitName) -> Split:
        """A copy of one split, as it was when it was first loaded."""
        if name not in self._held:
            with isolated(0):
                self._held[name] = copy_of(self.load(name))
        return copy_of(self._held[name])
