"""``publish``: the board as a page, JSON and pictures."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from benchmark.provenance import DISTRIBUTION, commit
from leaderboard import Store
from leaderboard import publish as publish_board
from targets.registry import unknown

SUITES = Path(__file__).parents[1] / "suites"


def write_board(store: Store, output: Path, suites: Collection[str] | None = None) -> list[Path]:
    """Write a store's rows, or those of some suites, to ``output``."""
    from importlib.metadata import version

    created = datetime.now(UTC).isoformat(timespec="seconds")
    return publish_board(
        store,
        output,
        commit=commit(),
        version=version(DISTRIBUTION),
        created=created,
        command=_command,
        suites=suites,
    )


def _command(suite: str) -> str:
    """What runs a suite: by its name if it comes with the package, else from its file."""
    known = (SUITES / f"{suite}.toml").is_file()
    return f"python -m benchmark run --suite {suite if known else f'{suite}.toml'}"


def main(arguments: argparse.Namespace) -> int:
    """Returns 0. Raises :class:`targets.InputError` for a suite that the results folder does not hold."""
    store = Store.read(arguments.results)
    if arguments.suite:
        held = store.suites()
        for name in arguments.suite:
            if held and name not in held:
                raise unknown("suite", name, held)
    for path in write_board(store, arguments.output, arguments.suite):
        print(path)
    return 0
