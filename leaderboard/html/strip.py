"""Originals beside what an attack made of them, of the embedded data set: its scans may be shown, and are small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from leaderboard.stored.records import ABSTAIN
from leaderboard.variants import Variant, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaderboard.stored.store import Store

EMBEDDED = ("digits",)
"""Data sets whose images a page shows. scikit-learn distributes the digits under a licence that lets it."""

MOST = 8
"""Images of a row."""

LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""One character a pixel, by its grey level: 0 is A, 1 is _."""

_VOTES = ("first", "first_votes", "second", "second_votes")
_USED = ("image", "outcome", "clean_outcome", "changed", *_VOTES, *(f"clean_{name}" for name in _VOTES))


class Strips:
    """The embedded images of a results folder: those that its `clean` cells sent are the originals.

    Attributes:
        originals: by image index, the pixels of those that a strip shows.
    """

    def __init__(self, store: Store, variants: Sequence[Variant]) -> None:
        """Of what these rows count."""
        self.originals: dict[str, str] = {}
        self._store = store
        self._clean: dict[tuple[str, int], NDArray[Any]] = {}
        for variant in variants:
            settings = variant.cells[-1].settings
            if settings["attack"] == "clean" and settings["data"] in EMBEDDED:
                for image, pixels in self._images(variant).items():
                    self._clean.setdefault((settings["data"], image), pixels)

    def of(self, variant: Variant) -> list[dict[str, Any]]:
        """The first of a row's images that the attack silenced, then others it changed; none where none are at hand.

        Each with its place in the row's records, its pixels, and the two classes with the most votes, before and after.
        """
        settings = variant.cells[-1].settings
        if settings["data"] not in EMBEDDED or settings["attack"] == "clean":
            return []
        images = self._images(variant)
        if not images:
            return []
        records = joined(variant.counted(), self._store.columns, _USED)
        fell = ((records["outcome"] == ABSTAIN) & (records["clean_outcome"] != ABSTAIN)).tolist()
        changed = records["changed"].tolist()
        order = sorted(range(len(fell)), key=lambda place: (not fell[place], not changed[place], place))
        shown: list[dict[str, Any]] = []
        for place in order:
            if len(shown) == MOST:
                break
            image = int(records["image"][place])
            original = self._clean.get((settings["data"], image))
            pixels = images.get(image)
            if original is None or pixels is None or not is_grey(pixels):
                continue
            self.originals[str(image)] = encoded(original)
            shown.append(
                {
                    "at": place,
                    "pixels": encoded(pixels),
                    "width": int(pixels.shape[-1]),
                    "clean": [int(records["clean_" + name][place]) for name in _VOTES],
                    "votes": [int(records[name][place]) for name in _VOTES],
                }
            )
        return shown

    def _images(self, variant: Variant) -> dict[int, NDArray[Any]]:
        """By image index, what the attack returned, of the cells that have it."""
        return {
            image: pixels
            for cell in variant.done
            if cell.has_images
            for image, pixels in zip(cell.settings["images"], self._store.images(cell.key), strict=True)
        }


def is_grey(pixels: NDArray[Any]) -> bool:
    """Whether an image is one that a strip can show: one channel, finite."""
    import numpy as np

    return pixels.ndim == 3 and pixels.shape[0] == 1 and bool(np.isfinite(pixels).all())


def encoded(pixels: NDArray[Any]) -> str:
    """A grey image in [0, 1], (1, H, W), as one of `LEVELS` a pixel, row by row."""
    import numpy as np

    levels = np.rint(np.clip(pixels, 0.0, 1.0) * (len(LEVELS) - 1)).astype(int)
    return "".join(LEVELS[level] for level in levels.ravel())
