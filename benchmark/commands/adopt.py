"""``adopt``: put the records of a published board into a results folder, so that a run goes on from there."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.commands.plugins import load_plugins
from benchmark.commands.publish import run_command
from benchmark.key import settings_key
from benchmark.running.clean_columns import adopt_clean_columns
from benchmark.running.exported import is_exported
from leaderboard import Store
from leaderboard.machines import by_command
from leaderboard.stored import archive, published_arrays, sequential
from leaderboard.stored.files import printable
from leaderboard.stored.source import source_of
from targets import InputError
from targets.data import cifar10
from targets.limits import check_whole
from targets.target import device_named

if TYPE_CHECKING:
    from pandas import DataFrame

    from leaderboard import StoredCell


def main(arguments: argparse.Namespace) -> int:
    """Returns 0.

    Raises:
        InputError: a record that is checked is not what its target answers here; nothing is adopted.
        StoreError: the board has no records, or another version's, or the shared arrays that it carries are damaged.
    """
    path = arguments.board / archive.RECORDS if arguments.board.is_dir() else arguments.board
    cells = archive.read(path, settings_key)
    beside, others = published_arrays.read(path.parent, is_exported)
    drawn = sequential.of_cells(sequential.read(path.parent), [cell for cell, _ in cells])
    if arguments.recheck is not None:
        _recheck(cells, arguments)
    store = Store.open(arguments.results, settings_key)
    if drawn:
        sequential.add(store.folder, drawn, is_newer=False)  # first: it refuses where this folder's own are damaged
    adopted = archive.adopt(store, cells)
    for cell, records in cells:
        adopt_clean_columns(store, cell, records)
    print(f"{adopted} cells adopted, {len(cells) - adopted} stored already. Results: {arguments.results}.")
    if drawn:
        print(f"What {len(drawn)} of them cost the sequential predictor is adopted, too.")
    if taken := published_arrays.adopt(store, path.parent, beside):
        print(f"{taken} files of answers, surrogates and the like adopted, too.")
    if others:
        print(f"{others} files beside the board not adopted: another experiment's, under other rules, or edited.")
    for asked, _ in by_command(cell for cell, _ in cells if source_of(cell) == "adopted"):
        print(f"Continue with: {printable(run_command(asked))} --results {arguments.results}")
    print("For your own attack only, put its file after --plugin, and its name after --attacks in place of the others.")
    return 0


def _recheck(cells: Sequence[tuple[StoredCell, DataFrame]], arguments: argparse.Namespace) -> None:
    from benchmark.recheck.spot_check import spot_check

    check_whole("--recheck", arguments.recheck, least=1)
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    device_named(arguments.device)
    found = spot_check(cells, arguments.recheck, arguments.device)
    if found.broken:
        raise InputError(
            f"{arguments.board}: {len(found.broken)} of {found.checked.total()} comparisons fail, so nothing is "
            f"adopted: {found.broken[0]}; ask its author, or adopt it without --recheck"
        )
    for line in found.lines():
        print(printable(line))
