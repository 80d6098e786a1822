"""``adopt``: the records of a published board, put into a results folder, so that a run goes on from there."""

from __future__ import annotations

import argparse

from benchmark.cell import key_of, settings_key
from benchmark.commands.publish import run_command
from benchmark.originals import keep
from leaderboard import Store, archive, shared


def main(arguments: argparse.Namespace) -> int:
    """Returns 0. Raises :class:`leaderboard.StoreError` where the board has no records, or those of other rules."""
    path = arguments.board / archive.RECORDS if arguments.board.is_dir() else arguments.board
    cells = archive.read(path, settings_key)
    beside = shared.read(path.parent, key_of)
    store = Store.open(arguments.results)
    adopted = archive.adopt(store, cells)
    for cell, records in cells:
        keep(store, cell, records)
    print(f"{adopted} cells adopted, {len(cells) - adopted} held already. Results: {arguments.results}.")
    if taken := shared.adopt(store, path.parent, beside):
        print(f"{taken} answers, surrogates and the like that cells share were there, too.")
    suites = sorted({cell.settings["suite"] for cell, _ in cells})
    for suite in suites:
        images = {image for cell, _ in cells if cell.settings["suite"] == suite for image in cell.settings["images"]}
        print(f"Go on with: {run_command(suite, len(images))} --results {arguments.results}")
    return 0
