"""Image sets: the images that a row of the board is computed on.

A run attacks a number of images, spread evenly over the data set, in cells on shards of them. A row is of one such set.
Rates on 16 images and on 24 others do not compare, nor do rates on 200 images and on a shard of 50 of them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leaderboard.stored.cell import StoredCell

Shard = tuple[int, ...]

TOGETHER = ("suite", "data", "n", "alpha", "seed")
"""Cells with these settings in common can be shards of one image set."""


@dataclass(frozen=True)
class ImageSet:
    """An image set, with what is known of its cells.

    Attributes:
        size: the number of images. Two sets of one data set have different sizes.
        shards: the shards of it that some cell is on.
        asked: the keys of the cells that were run for it. Other cells on the same shards count, too.
    """

    size: int
    shards: frozenset[Shard]
    asked: frozenset[str]


def image_sets(cells: Iterable[StoredCell]) -> list[ImageSet]:
    """The image sets of cells of one suite, data set, n, alpha and seed, the largest first.

    A cell records the size of the set that each run wanted it for. For cells of versions that did not record it, the
    set is inferred from their shards: see `_families`.
    """
    cells = sorted(cells, key=lambda cell: (cell.created, cell.key))
    found: dict[int, list[StoredCell]] = {}
    for cell in cells:
        for size in {request["images"] for request in cell.asked}:
            found.setdefault(size, []).append(cell)
    silent = [cell for cell in cells if not cell.asked]
    for family in _families(list(dict.fromkeys(map(_shard, silent)))):
        shards = frozenset(family)
        members = [cell for cell in silent if _shard(cell) in shards]
        found.setdefault(len(frozenset().union(*family)), []).extend(members)
    return [
        ImageSet(size, frozenset(map(_shard, members)), frozenset(cell.key for cell in members))
        for size, members in sorted(found.items(), reverse=True)
    ]


def of_one_set(cells: Sequence[StoredCell]) -> list[list[StoredCell]]:
    """Cells, given oldest first, grouped by the set that their shards can be of, be it cut in different ways."""
    groups: dict[frozenset[int], list[StoredCell]] = defaultdict(list)
    for family in _families(list(dict.fromkeys(map(_shard, cells)))):
        shards = frozenset(family)
        groups[frozenset().union(*family)] += [cell for cell in cells if _shard(cell) in shards]
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
    """Shards, given oldest first, grouped into sets.

    Shards of one set share no image, and their lengths differ by at most one. A shard that fits several sets goes to
    the newest, as the cells of one run follow each other.
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
