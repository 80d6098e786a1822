"""The board: from the cells of a store to ranked rows."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from leaderboard.evidence import CLEAN, UNKNOWN, adjusted, error_of, evidence
from leaderboard.row import ANSWERS, UNDEFINED, USED, Measured, Row, measure
from leaderboard.seeds import compare_seeds
from leaderboard.sources import landed_for
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.records import HasRecords
from leaderboard.stored.source import LANDED_FOR, SUBMITTED, source_of_all
from leaderboard.stored.store import Store
from leaderboard.variants import Variant, joined, variants

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaderboard.stored.records import Columns

    _Known = dict[tuple[str, bytes], NDArray[Any]]


def rows(store: Store, keys: Collection[str] | None = None) -> list[Row]:
    """The board of a store, or of its cells with these `keys`, in the order that it is shown; see `board`."""
    return board(store, [cell for cell in store.cells() if keys is None or cell.key in keys])


def board(store: HasRecords, cells: Iterable[StoredCell]) -> list[Row]:
    """The board of some of a store's cells, in the order that it is shown.

    A row is one (suite, target, attack, query budget, epsilon, n, alpha, seed) on one image set; a re-evaluated row is
    also of one n, alpha and seed that its images were made for. Its cells are shards
    of that set; a shard of two sets counts in both. If a row was run with several settings (parameters, version,
    weights, ...), only the newest count; of best-of rows, the newest of those with the most members.

    Within a target, ε and image set, rows are ranked by abstention rate, then by name; failed rows are last and have no
    rank. Of an attack's query budgets only the largest is ranked: the others are points of its curve.
    Re-evaluated rows have no rank.
    """
    return ranked(store, variants(cells))


def ranked(store: HasRecords, variants: Iterable[Variant]) -> list[Row]:
    """The rows of these variants, as `board` has them."""
    return [row for row, _ in measured(store, variants)]


def measured(store: HasRecords, variants: Iterable[Variant]) -> list[Measured]:
    """The rows of these variants, as `board` has them, each with what its records say of answers."""
    known: _Known = {}
    found = [_row(store, variant, known) for variant in variants]
    # A re-evaluated row has the noise of the other rows of its n, alpha and seed: their clean row is its, too.
    clean = {_noise(row): records for row, records in found if row["attack"] == CLEAN}
    for row, records in found:
        if records is not None:
            row.update(evidence(records, clean.get(_noise(row))))  # type: ignore[typeddict-item]
    compare_seeds(found)
    found.sort(key=lambda one: _order(one.row))
    result = [one.row for one in found]
    tested = {i: (_place(row), row["mcnemar_p"]) for i, row in enumerate(result) if row["attack"] != CLEAN}
    for i, p in adjusted(tested).items():
        result[i]["mcnemar_holm"] = p
    _rank(result)
    return found


def at_largest_budget(rows: Iterable[Row]) -> list[Row]:
    """For each attack, target and ε, the row of the largest query budget; no limit counts as the largest."""
    rows = list(rows)
    largest: dict[tuple[Any, ...], float] = defaultdict(float)
    for row in rows:
        attack = (*_place(row), row["attack"])
        largest[attack] = max(largest[attack], budget_of(row))
    return [row for row in rows if budget_of(row) == largest[*_place(row), row["attack"]]]


def at_common_budget(rows: Iterable[Row]) -> list[Row]:
    """For each attack, the rows of the query budget that most of its rows have; of equally frequent ones the largest.

    So rows that stand side by side, or go into one mean, differ in target and ε but not in budget.
    """
    rows = list(rows)
    count = Counter((row["attack"], budget_of(row)) for row in rows)
    common: dict[str, float] = {}
    for attack, budget in sorted(count, key=lambda key: (count[key], key[1])):
        common[attack] = budget
    return [row for row in rows if budget_of(row) == common[row["attack"]]]


def is_best_of(attack: str) -> bool:
    """Whether an attack of this name takes for each image the best of other attacks."""
    return attack.startswith("best-of ")


def _row(store: HasRecords, variant: Variant, known: _Known) -> Measured:
    """The row of a variant; its rank and evidence come later. ``known``: see `_answers`."""
    cells, done, failed, counted = variant.cells, variant.done, variant.failed, variant.counted()
    statistics, images = UNDEFINED, len({image for cell in done for image in cell.settings["images"]})
    status: Literal["ok", "partial", "failed"] = "failed"
    error: str | None = _last_line(failed[-1].error) if failed else "no images"
    records = None
    if counted:
        whole = joined(counted, store.columns, USED)
        statistics = measure(whole, cells[-1].settings["alpha"])
        records = _answers(whole, known)
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
        "ceiling_samples_max": min(cell.settings.get("ceiling_samples_max") or 0 for cell in cells),
        "ceiling_error": _ceiling_error(variant, counted),
        "status": status,
        **statistics,
        **UNKNOWN,  # type: ignore[typeddict-item] # mypy asks for the keys that may be absent
        # The shards share one surrogate: its queries are made once.
        "surrogate_queries": max(cell.surrogate_queries for cell in cells),
        "superseded_cells": variant.superseded,
        "source": source_of_all(cells),
        "parameters": settings["parameters"],
        "error": error,
    }
    if LANDED_FOR in settings:
        row["landed_for"] = settings[LANDED_FOR]
    if SUBMITTED in settings:
        row["submitted"] = settings[SUBMITTED]
        if settings["parameters"].get("queries") is None:  # its author did not say; records must hold a number
            row["queries_mean"] = None
    if origins := {origin for cell in done for origin in cell.provenance.get("surrogates", ())}:
        row["surrogates"] = sorted(origins)
    if names := {name for cell in done for name in cell.observed}:
        row["observed"] = {name: sum(cell.observed.get(name, 0) for cell in done) for name in sorted(names)}
    return Measured(row, records)


def _ceiling_error(variant: Variant, counted: Mapping[str, set[int]]) -> float | None:
    """The sum of the errors of a row's ceilings, at most 1; None where it counts no image."""
    versions = {cell.key: cell.settings.get("ceiling_version") for cell in variant.done}
    total = math.fsum(error_of(versions[key]) * len(images) for key, images in counted.items())
    return min(1.0, total) if counted else None


def _answers(records: Columns, known: _Known) -> Columns:
    """The columns `ANSWERS`. Those that rows of a target have in common are held once.

    Args:
        known: by name and digest, the columns that earlier rows have; gets these.
    """
    found = {}
    for name, dtype in ANSWERS.items():
        values = records[name].astype(dtype)
        found[name] = known.setdefault((name, hashlib.blake2b(values.tobytes(), digest_size=16).digest()), values)
    return found


def _last_line(traceback: str | None) -> str:
    lines = (traceback or "").strip().splitlines()
    return lines[-1].strip() if lines else "unknown error"


def _rank(rows: list[Row]) -> None:
    count: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in at_largest_budget(rows):
        if row["status"] != "failed" and LANDED_FOR not in row:
            count[_place(row)] += 1
            row["rank"] = count[_place(row)]


def _order(row: Row) -> tuple[Any, ...]:
    rate = row["abstention_rate"] or 0.0
    return (*_place(row), row["status"] == "failed", -rate, row["attack"], -budget_of(row))


def budget_of(row: Row) -> float:
    """The most queries per image; infinity without a limit."""
    return math.inf if row["query_budget"] is None else row["query_budget"]


def _place(row: Row) -> tuple[Any, ...]:
    """The part of the board that a row is ranked in."""
    return _noise(row) if LANDED_FOR not in row else (*_noise(row), *landed_for(row))


def _noise(row: Row) -> tuple[Any, ...]:
    """What rows on the same images and the same noise have in common."""
    return (row["suite"], row["target"], row["n"], row["alpha"], row["seed"], row["of_images"], row["epsilon"])


def by_strength(rows: Iterable[Row]) -> list[str]:
    """The attacks of these rows by mean abstention rate, highest first.

    Behind them come attacks that failed or were not run somewhere (on some target at some ε, say), and last best-of.
    """
    rates: dict[str, list[float | None]] = defaultdict(list)
    places: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for row in rows:
        rates[row["attack"]].append(row["abstention_rate"])
        places[row["attack"]].add(_place(row))
    everywhere = set().union(*places.values())

    def order(attack: str) -> tuple[bool, bool, float, str]:
        # A mean over what was run would favour an attack that is missing where abstention is hard to force.
        known = [rate for rate in rates[attack] if rate is not None]
        hole = len(known) < len(rates[attack]) or places[attack] < everywhere
        return is_best_of(attack), hole, -sum(known) / max(len(known), 1), attack

    return sorted(rates, key=order)


def fullest(rows: Iterable[Row]) -> Row | None:
    """Of the rows of one target and ε, the one with the most images; None if all failed.

    Its clean rate and ceiling stand for all of them, as they depend on the images and not on the attack. Of several
    ceilings, from more samples and fewer, the lowest holds for all rows.
    """
    done = (row for row in rows if row["status"] != "failed")
    return max(done, key=lambda row: (row["images"], -(row["ceiling"] or 0.0)), default=None)
