"""Digests of images and labels: by them, results on a data set that does not check itself know what they are of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Literal

from torch import Tensor

from targets.data import DATA, Split, SplitName

Part = Literal["images", "labels", "adversary", "training"]
"""Evaluation images, their labels, the adversary's images (nobody uses their labels), training images and labels."""

SPLITS: dict[Part, SplitName] = {
    "images": "evaluation",
    "labels": "evaluation",
    "adversary": "adversary",
    "training": "train",
}
"""Where the parts lie."""

ABSENT = "absent"
"""In place of a digest where the adversary's images or the training set cannot be loaded."""


def digest(*tensors: Tensor) -> str:
    """A hash of types, shapes and values."""
    found = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        found.update(f"{array.dtype.str} {array.shape} ".encode())
        found.update(array.data if array.size else b"")
    return found.hexdigest()


def content(name: str, *parts: Part) -> dict[str, dict[str, str]]:
    """What results that rest on these parts of a data set have in their keys: ``{"content": {part: digest}}``.

    Of a verified data set nothing: its name says what it is. A part is digested whole, whichever of its images are
    used: shards of one row must not differ in it, and evenly spaced indices are others where their number changes.

    Raises:
        InputError: no data set is registered under that name.
    """
    data = DATA[name]
    return {} if data.verified else {"content": {part: _digest(data.split, part) for part in parts}}


@cache
def _digest(load: Callable[[SplitName], Split], part: Part) -> str:
    try:
        split = load(SPLITS[part])
    except Exception:  # of a plugin, which may raise anything
        if SPLITS[part] == "evaluation":
            raise
        # Many a data set has none. An attack that needs it says why it fails, and is run again once there is one.
        return ABSENT
    if part == "labels":
        return digest(split.labels)
    return digest(split.images, split.labels) if part == "training" else digest(split.images)
