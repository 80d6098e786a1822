"""Verification: a results folder or a published board against its records, its settings and itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmark.key import settings_key
from benchmark.recheck.board_contents import DATA_FILE, contents
from benchmark.recheck.clause import Clause, count, kept
from benchmark.recheck.recorded import Recorded, is_recorded, recorded
from benchmark.recheck.tracing import traces
from benchmark.running.exported import is_exported
from leaderboard import StoredCell
from leaderboard.errors import StoreError
from leaderboard.stored import arrays, published_arrays
from leaderboard.stored.archive import RECORDS
from leaderboard.stored.files import in_one_line
from leaderboard.stored.plausible import check_records
from leaderboard.stored.source import ORIGIN, source_of


def verify(path: Path) -> Iterator[Clause]:
    """Every clause, each as soon as it is checked.

    Raises:
        StoreError: there is neither a results folder nor a board.
    """
    if not is_recorded(path) and (path / DATA_FILE).is_file():
        yield Clause("FAIL", "records", f"there is no {RECORDS}: nothing says where the rows come from")
        return
    try:
        of = recorded(path)
    except StoreError as error:
        if not is_recorded(path):
            raise
        yield Clause("FAIL", "records", str(error))
        return
    yield from _whatever("cells", "a cell is none that a run wrote", _cells(of))
    yield from _whatever(DATA_FILE, "it, the page or a picture is none that `publish` wrote", contents(of))
    yield from _whatever("shared", "what cells share is none that a run wrote", _shared(of))
    yield from _whatever("origin", "a cell is none that a run wrote", traces(of))


def _whatever(name: str, broken: str, clauses: Iterator[Clause]) -> Iterator[Clause]:
    """The clauses, and a broken one where checking ends in an error: what somebody else wrote may lack anything."""
    try:
        yield from clauses
    except Exception as error:
        yield Clause("FAIL", name, f"{broken} ({in_one_line(error):.100})")


def _cells(of: Recorded) -> Iterator[Clause]:
    """Digests, keys and plausibility."""
    ran = [cell for cell in of.cells if cell.status == "ok"]
    what = f"{count(len(of.cells), 'cell')} in {'results folder' if of.store else 'records.parquet'}"
    if of.store is not None:
        without = sum(not cell.digests for cell in of.cells)
        text = f"{what}: settings, records and images are what was written"
        text += f" ({without:,} are of a version that wrote no digests)" if without else ""
        yield kept("digests", text, [str(damage) for damage in of.damaged])
    strange = [
        f"{cell.key} is not the key of its settings" for cell in of.cells if settings_key(cell.settings) != cell.key
    ]
    yield kept("settings", f"{what}: each key follows from its settings", strange)
    broken, records = [], 0
    for cell in ran:
        found = of.holder.records(cell.key)
        records += len(found)
        try:
            check_records(cell.settings, found)
        except ValueError as error:
            broken.append(f"cell {cell.key}: {error}")
    text = f"{count(records, 'record')}: votes give the p-values, these the answers, norms keep the budget rule"
    yield kept("plausibility", text, broken)
    yield from _origins(of, ran)


def _origins(of: Recorded, ran: Sequence[StoredCell]) -> Iterator[Clause]:
    """Whether re-evaluated cells are of the images of their origins."""
    by_key = {cell.key: cell for cell in ran}
    again = [cell for cell in ran if source_of(cell) == "re-evaluated"]
    if not again:
        return
    broken, lost = [], 0
    for cell in again:
        origin = by_key.get(cell.settings[ORIGIN])
        if origin is None:
            lost += 1
            continue
        here, there = of.holder.records(cell.key), of.holder.records(origin.key)
        if any(not np.array_equal(here[name], there[name], equal_nan=name in ("l2", "linf")) for name in _IMAGES):
            broken.append(f"cell {cell.key} is not of the images of {origin.key}")
    yield kept("origins", f"{count(len(again) - lost, 're-evaluated cell')} of the images of their origins", broken)
    if lost:
        yield Clause("note", "origins", f"{count(lost, 're-evaluated cell')} whose origin is not here")


_IMAGES = ("image", "label", "l2", "linf", "changed", "validity")
"""Columns that do not depend on PREDICT."""


def _shared(of: Recorded) -> Iterator[Clause]:
    """What cells share: whether its files are whole."""
    folder = of.folder / arrays.FOLDER
    if not any(folder.glob("*.json")):
        return
    if of.store is not None:
        settings = of.store.shared_settings()
        broken = [f"{key} is damaged" for key in settings if of.store.shared(key) is None]
        yield kept(
            "shared", f"{count(len(settings), 'entry').replace('entrys', 'entries')} that cells share are whole", broken
        )
        return
    try:
        keys, others = published_arrays.read(of.folder, is_exported)
    except StoreError as error:
        yield Clause("FAIL", "shared", str(error))
        return
    text = f"{len(keys):,} answers, surrogates and the like that cells share are whole"
    yield kept("shared", text, [f"{others:,} files are not of `run`, of other rules, or edited"] if others else [])
