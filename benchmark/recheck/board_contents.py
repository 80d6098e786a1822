"""What a board says, its JSON, its page and its pictures, against rows that are computed from its records again."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

from benchmark.recheck import drawn_numbers
from benchmark.recheck.clause import Clause, count, kept
from benchmark.recheck.recorded import Recorded
from leaderboard import Row
from leaderboard.audit import audit
from leaderboard.availability import standings
from leaderboard.board import measured
from leaderboard.checks import check
from leaderboard.curves import epsilon_panels, query_panels
from leaderboard.errors import StoreError
from leaderboard.sequential import costs
from leaderboard.sources import attacked
from leaderboard.stored import board_file, sequential, unfinished
from leaderboard.variants import variants

DATA_FILE = board_file.NAME
SAME = 1e-9
"""Relative, between a number in the JSON and the same computed here: libraries round the last digits differently."""

IDENTITY = ("suite", "target", "attack", "query_budget", "epsilon", "n", "alpha", "seed", "of_images", "landed_for")


def contents(of: Recorded) -> Iterator[Clause]:
    """leaderboard.json, the page and the pictures against rows that are computed again."""
    found = measured(of.holder, variants(of.cells))
    rows = [row for row, _ in found]
    if unfinished.is_marked(of.folder):
        text = "files are of two boards: publish was stopped, or is at work; run the same command again"
        yield Clause("FAIL", "whole", text)
    path = of.folder / DATA_FILE
    if not path.is_file():
        yield Clause("note", DATA_FILE, "there is none: only the records were checked")
        return
    try:
        content = board_file.read(of.folder)
    except StoreError as error:
        yield Clause("FAIL", DATA_FILE, str(error))
        return
    said: list[dict[str, Any]] = content["rows"]
    suites = {row.get("suite") for row in said}
    shown = [row for row in rows if row["suite"] in suites]
    yield _rows(said, shown, is_archived=of.store is None)
    failed = [] if of.store is not None else [row for row in said if row.get("status") == "failed"]
    main = attacked(shown)
    yield _curves(content.get("curves", {}), main)
    standing = standings(one for one in found if one.row["suite"] in suites)
    if "standings" in content:
        same = _equal(content["standings"], standing)
        if failed and not same:
            yield Clause("note", "standings", "not compared: some rows failed, and have no records")
        else:
            broken = [] if same else ["they are not what the records give"]
            yield kept("standings", f"{count(len(standing), 'standing')}, each number the same", broken)
    if "sequential" in content:
        yield _sequential(content["sequential"], of, suites)
    yield from _audit(content.get("audit", {}), of, said)
    if "checks" in content:
        texts = [[finding["text"] for finding in found] for found in (content["checks"], check(main))]
        same = texts[0] == texts[1]
        yield Clause("ok" if same else "note", "checks", "the findings follow from the rows" if same else _OTHER_CHECKS)
    if main:
        yield drawn_numbers.page(of.folder, [*shown, *cast(list[Row], failed)])
        yield from drawn_numbers.landed(of.folder, shown)
        yield from drawn_numbers.pictures(of.folder, main, standing if "standings" in content else ())


_OTHER_CHECKS = "the findings are other than this version's, which may look for other things"


def _rows(said: Sequence[Mapping[str, Any]], rows: Sequence[Row], is_archived: bool) -> Clause:
    """Each row of the JSON against the one computed again, number by number."""
    ignored = {"superseded_cells", "source"} if is_archived else set()  # of the folder that they were published from
    failed = [row for row in said if row.get("status") == "failed"] if is_archived else []
    ours = {_identity(row): row for row in rows}
    theirs = {_identity(row): row for row in said if row not in failed}
    broken = [f"{_spoken(row)} has no records" for identity, row in theirs.items() if identity not in ours]
    broken += [f"{_spoken(row)} is not in {DATA_FILE}" for identity, row in ours.items() if identity not in theirs]
    if len(theirs) < len(said) - len(failed):
        broken.append("a row is there twice")
    for identity in theirs.keys() & ours.keys():
        row, own = theirs[identity], dict(ours[identity])
        older = set() if "mcnemar_against" in row else {"mcnemar_p"}  # which paired with the clean columns then
        for name in sorted(row.keys() - ignored - older):
            if name not in own or not _equal(row[name], own[name]):
                broken.append(f"{_spoken(row)}: {name} is {row[name]!r:.60}, the records give {own.get(name)!r:.60}")
    text = f"{count(len(theirs), 'row')}, computed again from the records, each number the same"
    text += f"; {count(len(failed), 'failed row')} without records" if failed else ""
    return kept("rows", text, broken)


def _identity(row: Mapping[str, Any]) -> str:
    values = [row.get("images") if name == "of_images" and name not in row else row.get(name) for name in IDENTITY]
    return json.dumps(values, sort_keys=True)


def _spoken(row: Mapping[str, Any]) -> str:
    return f"{row['attack']} on {row['target']} at ε = {row['epsilon']:g}, n = {row['n']:,}"


def _equal(a: Any, b: Any) -> bool:
    """Whether two JSON values are the same, numbers up to rounding."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, float) or isinstance(b, float):
        both = isinstance(a, int | float) and isinstance(b, int | float)
        return both and math.isclose(a, b, rel_tol=SAME, abs_tol=1e-300)
    return bool(a == b)


def _curves(said: Mapping[str, Any], rows: Sequence[Row]) -> Clause:
    computed = {"epsilon": epsilon_panels(rows), "queries": query_panels(rows)}
    broken = [
        f"those against {name} are not what the rows give"
        for name, panels in computed.items()
        if not _equal(said.get(name, []), panels)
    ]
    number = sum(len(panel["curves"]) for panels in computed.values() for panel in panels)
    return kept("curves", f"{count(number, 'curve')}, each point the same", broken)


def _sequential(said: Any, of: Recorded, suites: Collection[Any]) -> Clause:
    """The costs at the sequential predictor against what is beside the board. Nothing is drawn again."""
    try:
        drawn = sequential.read(of.folder)
    except StoreError as error:
        return Clause("FAIL", "sequential", str(error))
    cells = [cell for cell in of.cells if cell.settings["suite"] in suites]
    found = costs(variants(cells), sequential.of_cells(drawn, cells))
    broken = [] if _equal(said, found) else [f"they are not what {sequential.NAME} gives"]
    return kept("sequential", f"{count(len(found), 'cost')} at the sequential predictor, each number the same", broken)


def _audit(said: Mapping[str, Any], of: Recorded, rows: Sequence[Mapping[str, Any]]) -> Iterator[Clause]:
    """The soundness audit. It is of the whole results folder, of which a board may hold a part."""
    computed = audit(of.holder, of.cells)
    flips, allowed = computed["flips_inside_radius"], computed["flips_allowed"]
    text = f"{count(flips, 'confident flip')} inside a certified radius, at most {allowed:,} allowed"
    yield kept("soundness", text, [] if flips <= allowed else [text])
    if said.get("cells") != computed["cells"]:
        yield Clause(
            "note", "audit", f"the JSON's is of {said.get('cells')} cells, of which {computed['cells']:,} are here"
        )
        return
    names = ("images", "certified_answers", "inside_radius", "flips_inside_radius", "flips_allowed", "certificates")
    broken = [
        f"{name} is {said.get(name)}, the records give {dict(computed)[name]}"
        for name in names
        if said.get(name) != dict(computed)[name]
    ]
    yield kept("audit", f"{count(computed['images'], 'image')} counted, the same", broken)
