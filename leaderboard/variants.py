"""Variants: which stored cells each row of the board counts, and which it leaves out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaderboard.image_sets import TOGETHER, grouped, image_sets, of_one_set
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.source import LANDED_FOR, ORIGIN

if TYPE_CHECKING:
    from leaderboard.stored.records import Columns

IDENTITY = ("suite", "target", "attack", "query_budget", "epsilon", "n", "alpha", "seed", LANDED_FOR)
"""The settings that tell rows on the same images apart."""

# Settings in which the cells of one variant may differ; a difference in any other would mix two experiments. Members of
# a best-of cell are cells on its shard. Two arithmetics of one classifier differ only in floating-point ties.
_NOT_VARIANT = {"images", "description", "members", "arithmetic", ORIGIN}


@dataclass(frozen=True)
class Variant:
    """The cells that one row counts: all of the same settings, on shards of one image set.

    Attributes:
        cells: one for each shard, oldest first, failed ones included.
        superseded: the number of older cells that it replaces: of other settings, or other images of as large a set.
        size: the number of images in the set.
    """

    cells: list[StoredCell]
    superseded: int
    size: int

    @property
    def done(self) -> list[StoredCell]:
        """The cells that ran."""
        return [cell for cell in self.cells if cell.status == "ok"]

    @property
    def failed(self) -> list[StoredCell]:
        """The cells that failed, without those whose images have been run since in other shards, under other keys."""
        failed = [cell for cell in self.cells if cell.status != "ok"]
        covered = set().union(*(cell.settings["images"] for cell in self.done)) if failed else set()
        return [cell for cell in failed if not covered.issuperset(cell.settings["images"])]

    def counted(self) -> dict[str, set[int]]:
        """By key, the images whose records the row's rates are of. Each image counts once; none if the row failed."""
        if self.failed:
            return {}
        found: dict[str, set[int]] = {}
        newer: set[int] = set()
        for cell in reversed(self.done):
            if images := set(cell.settings["images"]) - newer:
                found[cell.key] = images
                newer |= images
        return found


def variants(cells: Iterable[StoredCell]) -> list[Variant]:
    """A variant for each row of these cells: of several settings of a row the newest.

    A row that no run asked for is left out unless all its images have been run.
    """
    cells = sorted(cells, key=lambda cell: (cell.created, cell.key))
    gone = {cell.key for cell in outdated(cells)}
    found = []
    for together in grouped([cell for cell in cells if cell.key not in gone], TOGETHER):
        for images in image_sets(together):
            members = [cell for cell in together if tuple(cell.settings["images"]) in images.shards]
            for group in grouped(members, IDENTITY):
                names = sorted({name for cell in group for name in cell.settings} - _NOT_VARIANT)
                candidates = [cells for alike in grouped(group, names) for cells in of_one_set(alike)]
                newest = max(candidates, key=_precedence)
                variant = Variant(newest, len(group) - len(newest), images.size)
                whole = sum(map(len, variant.counted().values())) == images.size
                if whole or not images.asked.isdisjoint(cell.key for cell in newest):
                    found.append(variant)
    return found


def joined(
    counted: Mapping[str, set[int]], columns: Callable[[str, Sequence[str]], Columns], names: Sequence[str]
) -> Columns:
    """Some columns of the records that a row counts, in the order of their images.

    Args:
        counted: see `Variant.counted`; not empty.
        columns: those of the cell with a key.
        names: of the columns; "image" is among them.
    """
    import numpy as np

    parts = []
    for key, images in counted.items():
        part = columns(key, names)
        if len(part["image"]) != len(images):
            counts = np.isin(part["image"], [*images])
            part = {name: values[counts] for name, values in part.items()}
        parts.append(part)
    whole = parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in names}
    order = np.argsort(whole["image"])
    return {name: values[order] for name, values in whole.items()}


def counted_in(variants: Iterable[Variant]) -> dict[str, list[tuple[int, Sequence[int]]]]:
    """By a cell's key, for each row that counts records of it: the size of its image set, and the images it counts."""
    found: dict[str, list[tuple[int, Sequence[int]]]] = defaultdict(list)
    for variant in variants:
        whole = {cell.key: cell.settings["images"] for cell in variant.done}
        for key, images in variant.counted().items():
            # The cell's own list where all count: one more list for each cell would take as much memory as the records.
            found[key].append((variant.size, whole[key] if len(images) == len(whole[key]) else sorted(images)))
    return found


def outdated(cells: Iterable[StoredCell]) -> list[StoredCell]:
    """The cells on other evaluation images or labels than the newest cell on a data set of the same name.

    No row counts them, as their rates do not compare with the newer ones.
    """
    cells = sorted(cells, key=lambda cell: (cell.created, cell.key))
    newest = {cell.settings["data"]: _evaluated_on(cell) for cell in cells}
    return [cell for cell in cells if _evaluated_on(cell) != newest[cell.settings["data"]]]


def _evaluated_on(cell: StoredCell) -> tuple[str | None, str | None]:
    """Digests of the evaluation images and labels; None where the data set itself checks them."""
    content = cell.settings.get("content", {})
    return content.get("images"), content.get("labels")


def _precedence(cells: list[StoredCell]) -> tuple[int, str, str]:
    """The order of several settings of a row: the last one counts."""
    last = cells[-1]
    # A best-of row over some of the attacks does not replace the row over all of them.
    return len(last.settings.get("members", ())), last.created, last.key
