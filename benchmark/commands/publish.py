"""``publish``: the board as a page, JSON and picture."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from benchmark.provenance import DISTRIBUTION, commit
from leaderboard import Store
from leaderboard import publish as publish_board


def write_board(store: Store, output: Path) -> list[Path]:
    """Write all of a store's rows to ``output``."""
    from importlib.metadata import version

    created = datetime.now(UTC).isoformat(timespec="seconds")
    return publish_board(store, output, commit=commit(), version=version(DISTRIBUTION), created=created)


def main(arguments: argparse.Namespace) -> int:
    """Returns 0."""
    for path in write_board(Store.read(arguments.results), arguments.output):
        print(path)
    return 0
