"""Image sets: of which images the rows of a board are.

Images are spread evenly over a data set, and cells are shards of them. A row is of one such set: rates on 16 images and
on 24 others, or on 50 and on the 200 that these are a shard of, do not compare, and do not make one rate.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leaderboard.stored.cell import StoredCell

Shard = tuple[int, ...]

TOGETHER = ("suite", "data", "n", "alpha", "seed")
"""The settings that cells have in common whose images may be shards of one set."""


@dataclass(frozen=True)
class ImageSet:
    """One image set that cells belong to.

    Attributes:
        size: how many images it has; no two sets of the same data have equally many.
        shards: those of it that some cell has.
        asked: the keys of the cells that were run for it. Others may be of the same shards, and stand for it as well.
    """

    size: int
    shards: frozenset[Shard]
    asked: frozenset[str]


def image_sets(cells: Iterable[StoredCell]) -> list[ImageSet]:
    """The sets of the cells of one suite, data set, n, alpha and seed, the largest first.

    Runs say of how many images a cell is a shard. Cells of versions that did not are taken together as far as they can
    be shards of one set: see `_families`.
    """
    cells = sorted(cells, key=lambda cell: (cell.created, cell.key))
    found: dict[int, list[StoredCell]] = {}
    for cell in cells:
        for size in {request["images"] for request in cell.asked}:
            found.setdefault(size, []).append(cell)
    silent = [cell for cell in cells if not cell.asked]
    for family in _families(list(dict.fromkeys(map(_shard, silent)))):
        members = [cell for cell in silent if _shard(cell) in family]
        found.setdefault(len({image for shard in family for image in shard}), []).extend(members)
    return [
        ImageSet(size, frozenset(map(_shard, members)), frozenset(cell.key for cell in members))
        for size, members in sorted(found.items(), reverse=True)
    ]


def of_one_set(cells: Sequence[StoredCell]) -> list[list[StoredCell]]:
    """Cells, the oldest first, with those together whose shards can be of one set, be they cut in several ways."""
    groups: dict[frozenset[int], list[StoredCell]] = defaultdict(list)
    for family in _families(list(dict.fromkeys(map(_shard, cells)))):
        images = frozenset(image for shard in family for image in shard)
        groups[images] += [cell for cell in cells if _shard(cell) in family]
    return [sorted(group, key=lambda cell: (cell.created, cell.key)) for group in groups.values()]


def grouped(cells: Iterable[StoredCell], names: Iterable[str]) -> list[list[StoredCell]]:
    """Cells with equal settings under these names, together."""
    names = tuple(names)
    groups: dict[str, list[StoredCell]] = defaultdict(list)
    for cell in cells:
        groups[json.dumps([cell.settings.get(name) for name in names], sort_keys=True)].append(cell)
    return list(groups.values())


def _shard(cell: StoredCell) -> Shard:
    return tuple(cell.settings["images"])


def _families(shards: Sequence[Shard]) -> list[list[Shard]]:
    """Shards, the oldest first, by the set that they can be of.

    Those of one set share no image, and differ by one image in length at most. Where a shard can be of several sets it
    is of the newest, as cells of one run follow each other.
    """
    families: list[list[Shard]] = []
    for shard in shards:
        for family in reversed(families):
            if all(abs(len(shard) - len(other)) <= 1 and not set(shard) & set(other) for other in family):
                family.append(shard)
                break
        else:
            families.append([shard])
    return families
