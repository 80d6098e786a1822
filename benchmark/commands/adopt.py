"""``adopt``: put the records of a published board into a results folder, so that a run goes on from there."""

from __future__ import annotations

import argparse

from benchmark.cell import settings_key
from benchmark.commands.publish import run_command
from benchmark.running.clean_columns import adopt_clean_columns
from benchmark.running.exported import is_exported
from leaderboard import Store
from leaderboard.machines import by_command
from leaderboard.stored import archive, published_arrays
from leaderboard.stored.source import source_of


def main(arguments: argparse.Namespace) -> int:
    """Returns 0.

    Raises:
        StoreError: the board has no records, or another version's, or the shared arrays that it carries are damaged.
    """
    path = arguments.board / archive.RECORDS if arguments.board.is_dir() else arguments.board
    cells = archive.read(path, settings_key)
    beside, others = published_arrays.read(path.parent, is_exported)
    store = Store.open(arguments.results, settings_key)
    adopted = archive.adopt(store, cells)
    for cell, records in cells:
        adopt_clean_columns(store, cell, records)
    print(f"{adopted} cells adopted, {len(cells) - adopted} stored already. Results: {arguments.results}.")
    if taken := published_arrays.adopt(store, path.parent, beside):
        print(f"{taken} files of answers, surrogates and the like adopted, too.")
    if others:
        print(f"{others} files beside the board not adopted: another experiment's, under other rules, or edited.")
    for asked, _ in by_command(cell for cell, _ in cells if source_of(cell) == "adopted"):
        print(f"Continue with: {run_command(asked)} --results {arguments.results}")
    print("For your own attack only, put its file after --plugin, and its name after --attacks in place of the others.")
    return 0
