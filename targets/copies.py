"""Copies of what a data set holds: whoever asks for a split may scale, clip or shuffle it in place.

What cells share is shared by keeping it here, out of everybody's hands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from targets.isolation import isolated
from targets.split import Split, SplitName


def copy_of(split: Split) -> Split:
    """The same images and labels in memory of their own."""
    return replace(split, images=split.images.clone(), labels=split.labels.clone())


class Copies:
    """A data set's loader, of which each call gives a copy.

    Args:
        load: loads a split; nobody but it may hold what it returns.
    """

    def __init__(self, load: Callable[[SplitName], Split]) -> None:
        self.load = load

    def __call__(self, name: SplitName) -> Split:
        """A copy of one split."""
        return copy_of(self.load(name))


class Kept(Copies):
    """The same for a loader that may hand out what others hold: each split is loaded once and kept as it was then."""

    def __init__(self, load: Callable[[SplitName], Split]) -> None:
        super().__init__(load)
        self._held: dict[SplitName, Split] = {}

    def __call__(self, name: SplitName) -> Split:
        """A copy of one split, as it was when it was first loaded."""
        if name not in self._held:
            with isolated(0):
                self._held[name] = copy_of(self.load(name))
        return copy_of(self._held[name])
