"""Digests of images and labels. They identify the data of results whose data set does not check itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Literal

from torch import Tensor

from targets.data import DATA, Split, SplitName

Part = Literal["images", "labels", "adversary", "training"]
"""Evaluation images, their labels, the adversary's images (no attack uses their labels), training images and labels."""

SPLITS: dict[Part, SplitName] = {
    "images": "evaluation",
    "labels": "evaluation",
    "adversary": "adversary",
    "training": "train",
}
"""The split that holds each part."""

ABSENT = "absent"
"""Stands for the digest of a split other than "evaluation" that cannot be loaded."""


def digest(*tensors: Tensor) -> str:
    """A hash of the tensors' types, shapes and values."""
    found = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        found.update(f"{array.dtype.str} {array.shape} ".encode())
        found.update(array.data if array.size else b"")
    return found.hexdigest()


def content(name: str, *parts: Part) -> dict[str, dict[str, str]]:
    """The part of a result's key that identifies its data: ``{"content": {part: digest}}``.

    It is empty for a verified data set, whose name identifies it. A digest is of the whole part, whichever of its
    images are used: all shards of a row need the same digest, and evenly spaced indices change with their number.

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
        # Many data sets lack this split. An attack that needs it fails and says so, and runs again once there is one.
        return ABSENT
    if part == "labels":
        return digest(split.labels)
    return digest(split.images, split.labels) if part == "training" else digest(split.images)
