"""A data set of one's own, from the tensors or functions that give its images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from targets.data import DATA, DataSet
from targets.data.split import Split, SplitName
from targets.errors import InputError

Labelled = Split | tuple[Tensor, Tensor]
"""Images (N, C, H, W), floating numbers in [0, 1], and labels (N,), whole numbers from 0 to K − 1."""

Given = Labelled | Callable[[], Labelled]
"""A split, or a function that makes it, which is called when the split is first needed."""

Owned = Given | Tensor | Callable[[], Labelled | Tensor]
"""The adversary's images, with their labels or without: nothing reads those."""


def register_data(
    name: str,
    *,
    shape: tuple[int, int, int],
    num_classes: int,
    evaluation: Given,
    train: Given | None = None,
    adversary: Owned | None = None,
    held_back: int | None = None,
    size: int | None = None,
) -> None:
    """Register a data set, for targets to name in ``data=``.

    What the adversary knows decides which attacks can run. Transfer, hybrid and decision attacks need images of the
    adversary's own, and attacks that train a surrogate on the target's training set need ``train``. Without them such
    an attack ends with one line that says what is missing; white-box and score attacks need neither.

    Args:
        shape: (C, H, W), e.g. ``(1, 28, 28)``.
        num_classes: K, 2 or more.
        evaluation: the images that attacks are evaluated on. A function must give the same images each time: seed
            what it draws.
        train: what the target was trained on.
        adversary: the adversary's images, none of which is an evaluation image.
        held_back: in place of ``adversary``, which is then the evaluation images but every ``held_back``-th. Suites
            with transfer, hybrid or decision attacks evaluate on the others only.
        size: how many evaluation images there are, for who asks before they are made (``run --dry-run``).

    Raises:
        InputError: the name is taken, fewer than two classes, a shape that is not three numbers above 0, both
            ``adversary`` and ``held_back``, a ``held_back`` below 2, or a ``size`` below 1. What is wrong with a split
            is said when it is first loaded.
    """
    if adversary is not None and held_back is not None:
        raise InputError(f"data set {name!r} has adversary and held_back; give one of them")
    if held_back is not None and held_back < 2:
        raise InputError(f"held_back of data set {name!r} is {held_back}; give 2 or more, or adversary=")
    given: dict[SplitName, Owned | None] = {"train": train, "adversary": adversary, "evaluation": evaluation}

    def load(split: SplitName) -> Split:
        if split == "adversary" and held_back is not None:
            whole = _made(evaluation)
            known = torch.arange(len(whole.images)) % held_back != 0
            return Split(whole.images[known], whole.labels[known])
        if (part := given[split]) is None:
            raise InputError(f"data set {name!r} has no split {split!r}: {_ADVICE[split]}")
        return _made(part)

    DATA.add(DataSet(name, num_classes, shape, load, held_back=held_back or 1, size=size))


_ADVICE: dict[SplitName, str] = {
    "train": "give train= to register_data, or leave out attacks that train on it",
    "adversary": "give adversary= or held_back= to register_data, or leave out transfer, hybrid and decision attacks",
}


def _made(given: Owned) -> Split:
    """The split that was given; :class:`targets.data.split.Checked` says what is wrong with what is in it."""
    part = given() if callable(given) else given
    if isinstance(part, Tensor):
        return Split(part, torch.full((len(part),), -1))
    return part if isinstance(part, Split) or not isinstance(part, tuple) or len(part) != 2 else Split(*part)
