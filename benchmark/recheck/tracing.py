"""What a board's cells can be traced to: commits, weights, data, images; and what cannot be traced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import torch

from attacks import ATTACKS
from benchmark.recheck.clause import Clause, count, kept
from benchmark.recheck.recorded import Recorded
from benchmark.running.evaluation import enforce, take
from leaderboard import Store, StoredCell
from leaderboard.stored.source import SUBMITTED, source_of
from targets import DATA, TARGETS, InputError, TargetError, load
from targets.data.digest import content

SAME = 1e-6
"""Between a norm in the records and the same one computed here, relative: sums of floats in another order."""


def traces(of: Recorded) -> Iterator[Clause]:
    """Clauses on where cells come from."""
    ran = [cell for cell in of.cells if cell.status == "ok"]
    yield from _targets(ran)
    if of.store is not None:
        yield from _images(of.store, ran)
    yield from _commits(ran)
    yield from _versions(ran)
    yield _sources(of, ran)
    without = sum(not cell.has_images for cell in ran if source_of(cell) != "re-evaluated")
    if without:
        yield Clause(
            "note",
            "images",
            f"{count(without, 'cell')} without images here: they cannot be scored again from this folder",
        )
    submitted = sum(source_of(cell) == "submitted" for cell in ran)
    if submitted:
        yield Clause(
            "note",
            "submitted",
            f"{count(submitted, 'cell')}: how the images were made, and their queries, nobody checked",
        )


def _targets(ran: list[StoredCell]) -> Iterator[Clause]:
    """Weights, σ and data against the registered ones."""
    found: dict[str, list[StoredCell]] = {}
    for cell in ran:
        found.setdefault(cell.settings["target"], []).append(cell)
    broken, lost, traced = [], [], 0
    for name, cells in sorted(found.items()):
        if name not in TARGETS:
            lost.append(f"{name} is not registered here (--plugin)")
            continue
        try:
            identity = load(name, "cpu").identity
        except (InputError, TargetError) as error:
            lost.append(f"{name}: {error}")
            continue
        other = [cell for cell in cells if any(cell.settings.get(one) != identity[one] for one in _OF_TARGET)]
        if other:
            broken.append(f"{count(len(other), 'cell')} of other weights, σ or data than {name} has here")
        try:
            digests = content(identity["data"], "images", "labels").get("content", {})
            wrong = [c for c in cells if any(c.settings.get("content", {}).get(p) != d for p, d in digests.items())]
            if wrong:
                broken.append(f"{count(len(wrong), 'cell')} on other images than {identity['data']} has here")
        except (InputError, TargetError) as error:
            lost.append(f"the images of {identity['data']}: {error}")
        traced += not other
    yield kept("targets", f"{count(traced, 'target')} of the weights and data that are registered here", broken)
    for reason in lost:
        yield Clause("note", "targets", f"cannot be traced: {reason}")


_OF_TARGET = ("weights", "sigma", "data")


def _images(store: Store, ran: list[StoredCell]) -> Iterator[Clause]:
    """Norms and validity in the records against the images beside them."""
    broken, seen, lost = [], 0, Counter[str]()
    for cell in ran:
        if not cell.has_images:
            continue
        name = cell.settings["data"]
        try:
            split = DATA[name].split("evaluation")
            originals = take(split.images, cell.settings["images"])
        except Exception as error:  # of a plugin's data set, or of data that are not at hand
            lost[f"{name}: {error}"] += 1
            continue
        records = store.records(cell.key)
        sent = enforce(originals, torch.from_numpy(store.images(cell.key)), cell.settings["epsilon"])
        same = np.array_equal(sent.validity, records.validity) and np.array_equal(sent.changed, records.changed)
        if not same or not np.allclose(sent.l2, records.l2, rtol=SAME, atol=1e-9, equal_nan=True):
            broken.append(f"cell {cell.key}: its images have other norms than its records say")
        seen += len(records)
    if seen or broken:
        yield kept("images", f"{count(seen, 'image')} with the norms and the validity in the records", broken)
    for reason, number in lost.items():
        yield Clause("note", "images", f"{count(number, 'cell')} not compared with the originals: {reason}")


def _commits(ran: list[StoredCell]) -> Iterator[Clause]:
    """Cells whose code nobody can look up."""
    commits = Counter(str(cell.provenance.get("commit") or "") for cell in ran)
    dirty = sum(number for commit, number in commits.items() if commit.endswith("+changes"))
    unknown = commits.get("", 0)
    known = len(ran) - dirty - unknown
    clean = sum(bool(commit) and not commit.endswith("+changes") for commit in commits)
    yield Clause("ok", "commits", f"{count(known, 'cell')} of {count(clean, 'commit')} that can be looked up")
    if dirty:
        yield Clause(
            "note", "commits", f"cannot be traced: {count(dirty, 'cell')} of a tree with changes that no commit has"
        )
    if unknown:
        yield Clause("note", "commits", f"cannot be traced: {count(unknown, 'cell')} that do not say their commit")


def _versions(ran: list[StoredCell]) -> Iterator[Clause]:
    """Attacks that are another version by now, or none of ours."""
    older, foreign = Counter[str](), Counter[str]()
    for cell in ran:
        settings = cell.settings
        if "members" in settings or SUBMITTED in settings:
            continue
        if settings["attack"] not in ATTACKS:
            foreign[settings["attack"]] += 1
        elif settings["version"] != ATTACKS[settings["attack"]].version:
            older[settings["attack"]] += 1
    if older:
        names = ", ".join(sorted(older))
        yield Clause("note", "attacks", f"{count(older.total(), 'cell')} of another version of the attack: {names}")
    if foreign:
        names = ", ".join(sorted(foreign))
        yield Clause(
            "note",
            "attacks",
            f"cannot be traced: {count(foreign.total(), 'cell')} of attacks not registered here: {names}",
        )


def _sources(of: Recorded, ran: list[StoredCell]) -> Clause:
    """How many cells were computed here, adopted, re-evaluated and submitted."""
    found = Counter(source_of(cell) for cell in ran)
    if of.store is None:  # whether the publisher computed or adopted a cell, its records do not say
        found["computed"] += found.pop("adopted", 0)
    words = {"computed": "computed here" if of.store else "computed or adopted by who published it"}
    text = ", ".join(f"{found[name]:,} {words.get(name, name)}" for name in sorted(found) if found[name])
    return Clause("ok", "sources", text or "no cell ran")
