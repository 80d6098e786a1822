"""``remove``: delete cells from a results folder, and what rests on them."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from benchmark.key import key_of, settings_key
from benchmark.running.exported import EXPORTED
from leaderboard import Store, StoredCell
from leaderboard.image_sets import TOGETHER, grouped, image_sets
from leaderboard.stored import arrays
from leaderboard.stored.cell import Damage
from targets import InputError
from targets.registry import unknown

KINDS = {"suite": "suite", "targets": "target", "attacks": "attack"}
"""The setting that each option's patterns are matched against."""

OF_RUNS = (*EXPORTED, "originals")
"""Kinds of shared entries that a `run` makes. `reproduce` keeps others in the same folder, which stay."""


@dataclass
class Plan:
    """What is to be removed.

    Attributes:
        cells: the chosen cells, and the best-of cells that rest on them.
        resting: how many of these are such best-of cells.
        kept: chosen cells that stay because rows of other image sets use them. They only lose their request.
        damaged: cells that cannot be read.
        shared: keys of shared entries that only the removed cells use.
    """

    cells: list[StoredCell]
    resting: int
    kept: list[StoredCell]
    damaged: list[Damage]
    shared: list[str]


def main(arguments: argparse.Namespace) -> int:
    """Returns 0.

    Raises:
        InputError: no option says which cells, or a pattern matches none.
        StoreError: there is no results folder, or a file cannot be removed.
    """
    given = {kind: getattr(arguments, option) for option, kind in KINDS.items() if getattr(arguments, option)}
    if not given and arguments.images is None and not arguments.damaged:
        raise InputError("say what to remove: --suite, --targets, --attacks, --images or --damaged")
    store = Store.read(arguments.results, settings_key)
    plan = _plan(store, given, arguments.images, arguments.damaged, arguments.shared)
    for line in _lines(plan, arguments.images):
        print(line)
    if not arguments.yes:
        print(f"Nothing is removed yet: --yes removes this from {arguments.results}.")
        return 0
    for key in [*(cell.key for cell in plan.cells), *(cell.key for cell in plan.damaged)]:
        store.remove(key)
    for cell in plan.kept:
        store.forget(cell, arguments.images)
    for key in plan.shared:
        store.remove_shared(key)
    print(f"Removed. `python -m benchmark publish --results {arguments.results}` writes the board again.")
    return 0


def _plan(
    store: Store, given: dict[str, Sequence[str]], images: int | None, is_damaged: bool, with_shared: bool
) -> Plan:
    cells, damaged = store.survey()
    found: list[StoredCell] | list[Damage] = damaged if is_damaged else cells
    for kind, patterns in given.items():
        names = {name for one in found if (name := _named(one, kind))}
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise unknown(kind, pattern, names)
    fitting = {one.key for one in found if all(_fits(_named(one, kind), given[kind]) for kind in given)}
    if is_damaged:
        return Plan([], 0, [], [one for one in damaged if one.key in fitting], [])
    chosen = [cell for cell in cells if cell.key in fitting]
    kept: list[StoredCell] = []
    if images is not None:
        sizes = _sizes(cells)
        if not any(images in of for of in sizes.values()):
            known = sorted({size for of in sizes.values() for size in of})
            raise InputError(
                f"no rows are of {images} images; there are rows of {', '.join(map(str, known)) or 'none'}"
            )
        chosen = [cell for cell in chosen if images in sizes[cell.key]]
        kept = [cell for cell in chosen if len(sizes[cell.key]) > 1]
        chosen = [cell for cell in chosen if len(sizes[cell.key]) == 1]
    keys = {cell.key for cell in chosen}
    resting = [cell for cell in cells if cell.key not in keys and not keys.isdisjoint(cell.settings.get("members", ()))]
    chosen += resting
    kept = [cell for cell in kept if cell not in resting]
    return Plan(chosen, len(resting), kept, [], _alone(store, cells, chosen) if with_shared else [])


def _named(one: StoredCell | Damage, kind: str) -> str | None:
    name = one.settings[kind] if isinstance(one, StoredCell) else getattr(one, kind)
    return name if isinstance(name, str) else None


def _fits(name: str | None, patterns: Iterable[str]) -> bool:
    return name is not None and any(fnmatchcase(name, pattern) for pattern in patterns)


def _sizes(cells: Iterable[StoredCell]) -> dict[str, set[int]]:
    """By key, the sizes of the image sets that a cell was run for."""
    sizes: dict[str, set[int]] = {}
    for together in grouped(cells, TOGETHER):
        for images in image_sets(together):
            for key in images.asked:
                sizes.setdefault(key, set()).add(images.size)
    return sizes


def _alone(store: Store, cells: Collection[StoredCell], removed: Collection[StoredCell]) -> list[str]:
    """Keys of shared entries whose target (or data set, if they have no target) no remaining cell uses."""
    gone = {cell.key for cell in removed}
    lost = {
        name: {cell.settings[name] for cell in removed} - {c.settings[name] for c in cells if c.key not in gone}
        for name in ("target", "data")
    }
    entries = arrays.entries(store.folder / arrays.FOLDER, "remove it, and what it held is computed again")
    return [
        key
        for key, settings in entries.items()
        if settings.get("what") in OF_RUNS and key_of(settings) == key
        if settings.get("target") in lost["target"]
        or ("target" not in settings and settings.get("data") in lost["data"])
    ]


def _lines(plan: Plan, images: int | None) -> list[str]:
    """The plan in words."""
    lines = []
    for together in grouped(plan.cells, ("suite", "target")):
        count = Counter(cell.settings["attack"] for cell in together)
        what = ", ".join(f"{count[attack]} {attack}" for attack in sorted(count))
        lines.append(f"{together[0].settings['suite']} · {together[0].settings['target']}: {what}")
    lines += map(str, plan.damaged)
    number = len(plan.cells) + len(plan.damaged)
    parts = [f"{number} cell" if number == 1 else f"{number} cells"]
    parts += [f"{plan.resting} of them best-of cells that rest on other removed cells"] if plan.resting else []
    parts += [f"and {len(plan.shared)} answers, surrogates and the like"] if plan.shared else []
    lines.append(", ".join(parts) + ".")
    if plan.kept:
        lines.append(f"{len(plan.kept)} cells stay: rows of other numbers of images than {images} use them, too.")
    return lines
