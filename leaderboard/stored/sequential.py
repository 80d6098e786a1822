"""What the sequential predictor drew on a board's images: one file of a results folder or of a published board.

`sequential.json` is an object with `project`, `schema_version` 1, `digests` (see `leaderboard.stored.digest`) and
`cells`, a list of `Drawn`. It says nothing of cells that are not beside it, so it may outlive some of them.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from leaderboard.errors import StoreError
from leaderboard.stored import atomic, bounds, digest, lock
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.files import KEY, in_one_line, read_json
from leaderboard.stored.plausible import LARGEST
from leaderboard.stored.records import ABSTAIN
from leaderboard.stored.store import PROJECT

NAME = "sequential.json"
SCHEMA_VERSION = 1

_log = logging.getLogger("abstention_bench")


@dataclass(frozen=True)
class Drawn:
    """What the sequential predictor did at the images of one cell, and at their originals on the same noise.

    Attributes:
        cell: its key.
        n: samples an image, at most.
        alpha: the predictor's level.
        outcome, clean_outcome: its answers, a label or `ABSTAIN`, in the order of the cell's images.
        drawn, clean_drawn: the samples that each took, 1 to `n`.
    """

    cell: str
    n: int
    alpha: float
    outcome: list[int]
    drawn: list[int]
    clean_outcome: list[int]
    clean_drawn: list[int]

    @property
    def measured(self) -> tuple[str, int, float]:
        """What tells it from every other."""
        return self.cell, self.n, self.alpha


_FIELDS = {field.name for field in fields(Drawn)}


def read(folder: Path) -> list[Drawn]:
    """What the file in a folder holds; empty where there is none.

    Raises StoreError, one line, where it is damaged, edited, or none of ours.
    """
    path = folder / NAME
    try:
        content = read_json(path)
        if content.get("project") != PROJECT:
            raise ValueError(f"it is not one of {PROJECT}'s")
        if content.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"its schema version is not {SCHEMA_VERSION}")
        if not content.get(digest.FIELD):
            raise ValueError("it has no digests")
        digest.check(content)
        found = [_drawn(one) for one in content["cells"]]
        if len({one.measured for one in found}) < len(found):
            raise ValueError("it holds a cell twice")
    except FileNotFoundError:
        return []
    except Exception as error:  # what somebody else wrote may lack anything
        reason = error if isinstance(error, ValueError) else in_one_line(error)
        raise StoreError(
            f"{path} is none that `reevaluate --sequential` wrote ({reason!s:.100}); remove it and measure again"
        ) from error
    return found


def readable(folder: Path) -> list[Drawn]:
    """As `read`; a damaged file holds nothing, with a warning in the log: a board is written without it."""
    try:
        return read(folder)
    except StoreError as error:
        _log.warning("%s. The board is without what it held.", error)
        return []


def of_cells(found: Iterable[Drawn], cells: Collection[StoredCell]) -> list[Drawn]:
    """Those of these cells that are of as many images as the cell."""
    images = {cell.key: len(cell.settings["images"]) for cell in cells}
    return [one for one in found if images.get(one.cell) == len(one.drawn)]


def merged(held: Iterable[Drawn], new: Iterable[Drawn]) -> list[Drawn]:
    """All of them by cell, `n` and `alpha`; what is `new` replaces what is held."""
    by_cell = {one.measured: one for one in (*held, *new)}
    return [by_cell[key] for key in sorted(by_cell)]


def to_json(found: Iterable[Drawn]) -> bytes:
    """The content of the file, a line a cell."""
    cells = [asdict(one) for one in found]
    content = {"project": PROJECT, "schema_version": SCHEMA_VERSION, "cells": cells}
    digests = digest.sealed(content)[digest.FIELD]
    head = json.dumps({**content, "cells": [], digest.FIELD: digests}).removesuffix("}")
    before, after = head.split('"cells": []')
    lines = ",\n".join(json.dumps(one, separators=(",", ":"), allow_nan=False) for one in cells)
    return f'{before}"cells": [\n{lines}\n]{after}}}\n'.encode()


def add(folder: Path, new: Iterable[Drawn], *, is_newer: bool = True) -> None:
    """Put more into the file of a folder.

    Args:
        is_newer: whether it replaces what is held of the same cell, `n` and `alpha`; if not, that stays.

    Raises StoreError where the file is damaged, or cannot be written.
    """
    with lock.turn(folder / NAME):  # another process may add, too
        held = read(folder)
        atomic.write(folder / NAME, to_json(merged(held, new) if is_newer else merged(new, held)))


def _drawn(one: Any) -> Drawn:
    """An entry, checked. Raises ValueError, or whatever else where it is no table."""
    if {*one} != _FIELDS:
        raise ValueError("a cell has other fields")
    found = Drawn(**one)
    if not isinstance(found.cell, str) or not KEY.fullmatch(found.cell) or len(found.cell) > 200:
        raise ValueError(f"{found.cell!r:.50} is no cell's key")
    if type(found.n) is not int or not 1 <= found.n < LARGEST:
        raise ValueError(f"cell {found.cell}: n is {found.n!r:.30}")
    if type(found.alpha) is not float or not (math.isfinite(found.alpha) and 0 < found.alpha < 1):
        raise ValueError(f"cell {found.cell}: alpha is {found.alpha!r:.30}")
    images = len(found.drawn)
    if not 1 <= images <= bounds.RECORDS:
        raise ValueError(f"cell {found.cell} has {images:,} images")
    for name, least, most in (("outcome", ABSTAIN, LARGEST - 1), ("drawn", 1, found.n)):
        for values in (getattr(found, name), getattr(found, f"clean_{name}")):
            if not isinstance(values, list) or {*map(type, values)} != {int} or len(values) != images:
                raise ValueError(f"cell {found.cell}: {name} is no list of {images:,} whole numbers")
            if min(values) < least or max(values) > most:
                raise ValueError(f"cell {found.cell}: {name} is not from {least} to {most:,}")
    return found
