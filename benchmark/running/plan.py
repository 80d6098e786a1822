"""What a run would do: its cells, those that the store holds, and what the others may take."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from benchmark.cell import Cell, Content, cells
from benchmark.key import settings_key
from benchmark.running.best_of import best_of_cells
from benchmark.suite import Suite
from benchmark.terminal.progress import clock
from leaderboard import Store
from leaderboard.stored.cell import StoredCell
from targets import DATA, TARGETS, DataSet, load
from targets.data.digest import Part


@dataclass(frozen=True)
class Cost:
    """Of one image in one cell.

    Attributes:
        seconds: of one worker, shared work included where the measured cells did it.
        samples: forward and backward passes of the base classifier, the evaluation's included.
    """

    seconds: float
    samples: float


def plan(suite: Suite, results: Path, device: str, workers: int | None) -> str:
    """A table of a suite's cells by target and attack, and an estimate of what is missing.

    Nothing is written, no cell is run and no image is loaded. A data set that does not check itself is taken to be as
    the folder's newest cells on it had it. Cells on one that gives no size are counted and not looked for. Cells count
    as alike if they are of the same attack and target; if no such cell was measured, of the same attack on the same
    data.

    Args:
        results: a results folder, which need not exist.
        workers: that the user asked for.
    """
    store = Store.read(results, settings_key) if results.exists() and any(results.iterdir()) else None
    held_cells = store.cells() if store else []
    content, used = _newest(held_cells), {TARGETS[name].data for name in suite.target_names()}
    unknown = {name for name in used & {cell.settings["data"] for cell in held_cells} if DATA[name].size is None}
    total, stored, missing = Counter[tuple[str, str]](), Counter[tuple[str, str]](), list[Cell]()
    for name in suite.target_names():
        sized = TARGETS[name].data_set.size is not None
        indices = suite.indices(name) if sized else list(range(suite.images))  # of which only the number counts
        plain = list(cells(suite, load(name, device), indices, content))
        for cell in [*plain, *best_of_cells(suite, plain)]:
            row = (name, cell.attack_name)
            total[row] += 1
            held = cell.held(store) if store and sized else None
            if held is not None and held.status == "ok":
                stored[row] += 1
            else:
                missing.append(cell)
    measured = _Measured(store, held_cells)
    rows = []
    for (target, attack), count in total.items():
        ours = [cell for cell in missing if (cell.target.name, cell.attack_name) == (target, attack)]
        done = "?" if TARGETS[target].data in unknown else stored[target, attack]
        rows.append([target, attack, count, done, len(ours), *_told(measured, ours)])
    heads = ["target", "attack", "cells", "stored", "to run", "about", "samples"]
    table = tabulate(rows, heads, tablefmt="simple", colalign=("left", "left", *["right"] * 5))
    found = {TARGETS[target].data for target, _ in stored}
    notes = [text for name in sorted(used) for text in _notes(DATA[name], suite.images, name in unknown, name in found)]
    summary = _summary(measured, missing, sum(total.values()), workers, bool(unknown))
    return "\n".join([f"{table}\n", summary, *(f"Note: {text}." for text in notes)])


def _newest(held: Iterable[StoredCell]) -> Content:
    """Tells digests as the newest of these cells on a data set has them, and "unknown" where none has."""
    digests = dict[tuple[str, Part], str]()
    for cell in sorted(held, key=lambda cell: (cell.created, cell.key)):
        for part, digest in cell.settings.get("content", {}).items():
            digests[cell.settings["data"], part] = digest

    def content(name: str, *parts: Part) -> dict[str, dict[str, str]]:
        told: dict[str, str] = {part: digests.get((name, part), "unknown") for part in parts}
        return {} if DATA[name].verified else {"content": told}

    return content


def _notes(data: DataSet, images: int, unknown: bool, found: bool) -> Iterator[str]:
    """What a data set lacks, and what is not known without its images.

    Args:
        images: that the suite asks for.
        unknown: whether cells on it may be stored, and cannot be found.
        found: whether cells on it were found.
    """
    if lacking := data.lacking():
        yield lacking
    if data.size is None:
        cells = ", and which cells are stored" if unknown else ""
        yield f"data set {data.name!r} gives no size=, so it is unknown whether it has {images} images{cells}"
    elif found and not data.verified:
        yield (
            f"cells on {data.name!r} count as stored if they are of the same images and labels as the newest of them; "
            "a run compares these with the data set's"
        )


def _told(measured: _Measured, ours: list[Cell]) -> tuple[str, str]:
    """Time and samples of an attack's missing cells, for people."""
    if not ours:
        return "", ""
    costs = [measured.cost(cell) for cell in ours]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return "?", "?"
    return clock(sum(cost.seconds for cost in known)), f"{sum(cost.samples for cost in known):.3g}"


def _summary(measured: _Measured, missing: list[Cell], total: int, workers: int | None, at_most: bool) -> str:
    most = "at most " if at_most else ""
    lines = [f"{total} cells: {total - len(missing)} stored already, {most}{len(missing)} to run."]
    costs = [measured.cost(cell) for cell in missing]
    known = [cost for cost in costs if cost is not None]
    if missing and not known:
        lines.append("Nothing like them is measured in the results folder yet, so there is no estimate.")
    elif missing:
        seconds, samples = sum(cost.seconds for cost in known), sum(cost.samples for cost in known)
        what = "They" if len(known) == len(missing) else f"{len(known)} of them"
        each = f", or {clock(seconds / workers)} with {workers}" if workers and workers > 1 else ""
        lines.append(f"{what} take about {clock(seconds)} of one worker{each}, and {samples:.3g} noise samples.")
        if len(known) < len(missing):
            lines.append("Nothing like the others is measured in the results folder yet.")
    return "\n".join(lines)


class _Measured:
    """What the cells of a store took."""

    def __init__(self, store: Store | None, held: Iterable[StoredCell]) -> None:
        self._store = store
        self._alike: dict[tuple[str, ...], list[StoredCell]] = defaultdict(list)
        self._costs: dict[tuple[tuple[str, ...], int], Cost] = {}
        for cell in held:
            if cell.status == "ok" and cell.has_images:  # adopted cells were measured on another machine
                for alike in _alike(cell.settings["target"], cell.settings["data"], cell.settings["attack"]):
                    self._alike[alike].append(cell)

    def cost(self, cell: Cell) -> Cost | None:
        """What a cell may take, in all; None if nothing like it was measured."""
        for alike in _alike(cell.target.name, cell.target.data, cell.attack_name):
            if self._alike[alike]:
                one = self._of_image(alike, cell.suite.samples)
                return Cost(one.seconds * len(cell.images), one.samples * len(cell.images))
        return None

    def _of_image(self, alike: tuple[str, ...], n: int) -> Cost:
        """The mean over measured cells. Of the samples only the evaluation's depend on n; the time goes with all."""
        if (alike, n) not in self._costs:
            assert self._store is not None
            costs = []
            for cell in self._alike[alike]:
                records = self._store.records(cell.key)
                attack = float((records.forward_samples + records.backward_samples).mean())
                if "members" in cell.settings:  # a best-of cell records what its members took
                    attack = 0.0
                samples = attack + n
                seconds = cell.seconds / len(records) * samples / (attack + cell.settings["n"])
                costs.append((seconds, samples))
            seconds, samples = np.mean(costs, axis=0)
            self._costs[alike, n] = Cost(float(seconds), float(samples))
        return self._costs[alike, n]


def _alike(target: str, data: str, attack: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What cells have in common that may take equally long: the closer first."""
    return ("target", target, attack), ("data", data, attack)
