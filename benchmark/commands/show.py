"""``show``: one cell of a results folder, with its traceback where it failed."""

from __future__ import annotations

import argparse
import json

from benchmark.key import settings_key
from benchmark.message import one_line
from benchmark.terminal.failures import KEY, described, where
from leaderboard import Store, StoredCell
from leaderboard.stored.files import printable
from targets import InputError


def main(arguments: argparse.Namespace) -> int:
    """Returns 0.

    Raises:
        InputError: no cell has a key that begins so, or several have.
        StoreError: there is no results folder.
    """
    store = Store.read(arguments.results, settings_key)
    if arguments.cell is None:
        return _failed(store)
    cell = _named(store.cells(), arguments.cell)
    print(f"cell {cell.key}")
    print(f"status {cell.status}, {cell.created}, {cell.seconds:.1f} s")
    for title, values in (("settings", cell.settings), ("provenance", cell.provenance)):
        print(f"\n{title}")
        for name, value in sorted(values.items()):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            print(printable(f"  {name}: {text}"))
    if cell.error:
        print()
        for line in cell.error.rstrip().splitlines():
            print(printable(line.expandtabs()))
    return 0


def _failed(store: Store) -> int:
    failed = [cell for cell in store.cells() if cell.status != "ok"]
    for cell in failed:
        print(f"{cell.key[:KEY]}  {described(cell)}: {one_line(where(cell.error or ''))}")
    total = len(store.cells())
    print(f"{len(failed)} of {total} cells failed." if failed else f"All {total} cells ran.")
    return 0


def _named(cells: list[StoredCell], beginning: str) -> StoredCell:
    found = [cell for cell in cells if cell.key.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(f"no cell's key begins with {beginning!r}; show without one lists the cells that failed")
    keys = ", ".join(f"{cell.key[:KEY]} ({described(cell)})" for cell in found[:4])
    raise InputError(f"{len(found)} cells' keys begin with {beginning!r}; give more of it: {keys}")
