"""The board: from the cells of a store to ranked rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from leaderboard.image_sets import TOGETHER, grouped, image_sets, of_one_set
from leaderboard.row import UNDEFINED, Row, measure
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.store import Store

_IDENTITY = ("suite", "target", "attack", "query_budget", "epsilon", "n", "alpha", "seed")
# Settings that cells of one variant may differ in; a difference in any other would mix two experiments. The members
# of an ensemble's cell are cells on the same shard. Two arithmetics of one classifier differ in floating-point ties.
_NOT_VARIANT = {"images", "description", "members", "arithmetic"}


def rows(store: Store, keys: Collection[str] | None = None) -> list[Row]:
    """The board of a store (of the cells with these `keys`, if given), in the order that it is shown; see `board`."""
    return board(store, [cell for cell in store.cells() if keys is None or cell.key in keys])


def board(store: Store, cells: Iterable[StoredCell]) -> list[Row]:
    """The board of some of a store's cells, in the order that it is shown.

    A row is one (suite, target, attack, query budget, epsilon, n, alpha, seed) on one set of images; its cells are
    shards of that, and count in every set that they are a shard of. Where no run asked for a row it is there if it is
    whole. Where there are several settings of it (parameters, version, weights, ...), the newest count and the others
    are left out; of best-of rows, the newest of those that take the most attacks. Within a target, ε and set, rows are
    ranked by abstention rate, ties by name, failed rows last, unranked. Only an attack's row of the largest query
    budget competes: the others are points of its curve.
    """
    result = [_row(store, variant) for variant in variants(cells)]
    result.sort(key=_order)
    _rank(result)
    return result


@dataclass(frozen=True)
class Variant:
    """What one row counts.

    Attributes:
        cells: its shards, all of the same settings, oldest first; failed ones are among them.
        superseded: how many older cells of other settings, or of other images in as large a set, it leaves out.
        size: how many images the set has that it is a row of.
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
        """The others, but for those that have been run again since, in shards of another size and so by other keys."""
        covered = {image for cell in self.done for image in cell.settings["images"]}
        return [cell for cell in self.cells if not covered.issuperset(cell.settings["images"])]

    def counted(self) -> dict[str, set[int]]:
        """By key, the images whose records the row's rates are of: each once, none where the row failed."""
        if self.failed:
            return {}
        last = {image: cell.key for cell in self.done for image in cell.settings["images"]}
        found: dict[str, set[int]] = defaultdict(set)
        for image, key in last.items():
            found[key].add(image)
        return found


def variants(cells: Iterable[StoredCell]) -> list[Variant]:
    """What each row of these cells counts."""
    cells = sorted(cells, key=lambda cell: (cell.created, cell.key))
    gone = {cell.key for cell in outdated(cells)}
    found = []
    for together in grouped([cell for cell in cells if cell.key not in gone], TOGETHER):
        for images in image_sets(together):
            members = [cell for cell in together if tuple(cell.settings["images"]) in images.shards]
            for group in grouped(members, _IDENTITY):
                names = sorted({name for cell in group for name in cell.settings} - _NOT_VARIANT)
                candidates = [cells for alike in grouped(group, names) for cells in of_one_set(alike)]
                newest = max(candidates, key=_precedence)
                variant = Variant(newest, len(group) - len(newest), images.size)
                whole = sum(map(len, variant.counted().values())) == images.size
                if whole or not images.asked.isdisjoint(cell.key for cell in newest):
                    found.append(variant)
    return found


def counted_in(cells: Iterable[StoredCell]) -> dict[tuple[str, int], list[int]]:
    """By a cell's key and an image, the sizes of the image sets in whose rows that record counts."""
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for variant in variants(cells):
        for key, images in variant.counted().items():
            for image in images:
                found[key, image].append(variant.size)
    return found


def outdated(cells: Iterable[StoredCell]) -> list[StoredCell]:
    """Those on other evaluation images or labels than the newest cell on a data set of that name.

    No row counts them: the page would compare them with what they are not of.
    """
    cells = sorted(cells, key=lambda cell: (cell.created, cell.key))
    newest = {cell.settings["data"]: _evaluated_on(cell) for cell in cells}
    return [cell for cell in cells if _evaluated_on(cell) != newest[cell.settings["data"]]]


def _evaluated_on(cell: StoredCell) -> tuple[str | None, str | None]:
    """Digests of the evaluation images and labels; none where the data set itself checks what they are."""
    content = cell.settings.get("content", {})
    return content.get("images"), content.get("labels")


def _precedence(cells: list[StoredCell]) -> tuple[int, str, str]:
    """Which of several settings of a row count: the highest."""
    last = cells[-1]
    # A best-of row of a part of the attacks is no newer version of the row of all.
    return len(last.settings.get("members", ())), last.created, last.key


def at_largest_budget(rows: Iterable[Row]) -> list[Row]:
    """Of each attack's rows on one target and ε the one of the largest query budget; no budget is the largest."""
    rows = list(rows)
    largest: dict[tuple[Any, ...], float] = defaultdict(float)
    for row in rows:
        attack = (*_place(row), row["attack"])
        largest[attack] = max(largest[attack], budget_of(row))
    return [row for row in rows if budget_of(row) == largest[*_place(row), row["attack"]]]


def at_common_budget(rows: Iterable[Row]) -> list[Row]:
    """Of some rows, in their order, each attack's of the query budget that it has in most of them.

    Of budgets that are as frequent the largest. What stands side by side, or goes into one mean, so differs in target
    and ε but not in budget.
    """
    rows = list(rows)
    count = Counter((row["attack"], budget_of(row)) for row in rows)
    common: dict[str, float] = {}
    for attack, budget in sorted(count, key=lambda key: (count[key], key[1])):
        common[attack] = budget
    return [row for row in rows if budget_of(row) == common[row["attack"]]]


def is_best_of(attack: str) -> bool:
    """Whether an attack of this name takes the best of others for each image."""
    return attack.startswith("best-of ")


def _row(store: Store, variant: Variant) -> Row:
    """The row of a variant; its rank comes later."""
    import pandas as pd

    cells, done, failed, counted = variant.cells, variant.done, variant.failed, variant.counted()
    statistics, images = UNDEFINED, len({image for cell in done for image in cell.settings["images"]})
    status: Literal["ok", "partial", "failed"] = "failed"
    error: str | None = _last_line(failed[-1].error) if failed else "no images"
    if counted:
        frames = [store.records(key) for key in counted]
        parts = [part[part.image.isin(chosen)] for part, chosen in zip(frames, counted.values(), strict=True)]
        records = pd.concat(parts).sort_values("image", ignore_index=True)
        statistics = measure(records, cells[-1].settings["alpha"])
        status, error = "ok" if images == variant.size else "partial", None

    settings: dict[str, Any] = cells[-1].settings
    row: Row = {
        "rank": None,
        "suite": settings["suite"],
        "target": settings["target"],
        "sigma": settings["sigma"],
        "data": settings["data"],
        "attack": settings["attack"],
        "access": settings["access"],
        "description": settings["description"],
        "epsilon": settings["epsilon"],
        "query_budget": settings.get("query_budget"),
        "n": settings["n"],
        "alpha": settings["alpha"],
        "seed": settings["seed"],
        "images": images,
        "of_images": variant.size,
        "ceiling_samples": min(cell.settings.get("ceiling_samples") or 0 for cell in cells) or None,
        "status": status,
        **statistics,  # type: ignore[typeddict-item] # where mypy looks for the key that may be absent
        # The shards share one surrogate, whose queries are made once.
        "surrogate_queries": max(cell.surrogate_queries for cell in cells),
        "superseded_cells": variant.superseded,
        "parameters": settings["parameters"],
        "error": error,
    }
    if origins := {origin for cell in done for origin in cell.provenance.get("surrogates", ())}:
        row["surrogates"] = sorted(origins)
    if names := {name for cell in done for name in cell.observed}:
        row["observed"] = {name: sum(cell.observed.get(name, 0) for cell in done) for name in sorted(names)}
    return row


def _last_line(traceback: str | None) -> str:
    lines = (traceback or "").strip().splitlines()
    return lines[-1].strip() if lines else "unknown error"


def _rank(rows: list[Row]) -> None:
    count: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in at_largest_budget(rows):
        if row["status"] != "failed":
            count[_place(row)] += 1
            row["rank"] = count[_place(row)]


def _order(row: Row) -> tuple[Any, ...]:
    rate = row["abstention_rate"] or 0.0
    return (*_place(row), row["status"] == "failed", -rate, row["attack"], -budget_of(row))


def budget_of(row: Row) -> float:
    """Most queries an image; infinity without a limit."""
    return math.inf if row["query_budget"] is None else row["query_budget"]


def _place(row: Row) -> tuple[Any, ...]:
    """Where on the board a row competes."""
    return (row["suite"], row["target"], row["n"], row["alpha"], row["seed"], row["of_images"], row["epsilon"])


def by_strength(rows: Iterable[Row]) -> list[str]:
    """The attacks in these rows by mean abstention rate, highest first; those with a hole, then ensembles.

    A hole is a place, a target and ε say, where the attack failed or was not run.
    """
    rates: dict[str, list[float | None]] = defaultdict(list)
    places: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for row in rows:
        rates[row["attack"]].append(row["abstention_rate"])
        places[row["attack"]].add(_place(row))
    everywhere = set().union(*places.values())

    def order(attack: str) -> tuple[bool, bool, float, str]:
        # A mean over what happened to run would favour an attack that is missing where it is hard.
        known = [rate for rate in rates[attack] if rate is not None]
        hole = len(known) < len(rates[attack]) or places[attack] < everywhere
        return is_best_of(attack), hole, -sum(known) / max(len(known), 1), attack

    return sorted(rates, key=order)


def fullest(rows: Iterable[Row]) -> Row | None:
    """Of the rows of one target and ε, one that saw the most images and did not fail; None if all failed.

    It speaks for the clean rate and the ceiling, which the images decide and not the attack; of several ceilings, from
    more samples and fewer, the lowest is proven of them all.
    """
    done = (row for row in rows if row["status"] != "failed")
    return max(done, key=lambda row: (row["images"], -(row["ceiling"] or 0.0)), default=None)
