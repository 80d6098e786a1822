"""``adopt``: the records of a published board, put into a results folder, so that a run goes on from there."""

from __future__ import annotations

import argparse

from benchmark.cell import settings_key
from leaderboard import Store, adopt
from leaderboard.archive import RECORDS


def main(arguments: argparse.Namespace) -> int:
    """Returns 0. Raises :class:`leaderboard.StoreError` where the board has no records, or those of other rules."""
    path = arguments.board / RECORDS if arguments.board.is_dir() else arguments.board
    adopted, held = adopt(Store.open(arguments.results), path, settings_key)
    print(f"{adopted} cells adopted, {held} held already. Results: {arguments.results}.")
    return 0
