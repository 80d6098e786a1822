"""``publish``: the board as a page, JSON and pictures."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from benchmark.provenance import DISTRIBUTION, commit
from benchmark.suite import load_suite, suite_names
from leaderboard import Store, shared
from leaderboard import publish as publish_board
from leaderboard.machines import Asked
from targets.registry import unknown


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
        command=run_command,
        suites=suites,
    )


def run_command(asked: Asked) -> str:
    """What runs this: a suite by its name, with what it says otherwise, if it comes with the package; else its file."""
    if asked["suite"] not in suite_names():
        return f"python -m benchmark run --suite {asked['suite']}.toml"
    suite = load_suite(asked["suite"])
    options: list[tuple[str, Collection[float], Collection[float]]] = [
        ("--images", [asked["images"]], [suite.images]),
        ("--samples", [asked["n"]], [suite.samples]),
        ("--alpha", [asked["alpha"]], [suite.alpha]),
        ("--seed", [asked["seed"]], [suite.seed]),
        ("--epsilons", asked["epsilons"], suite.epsilons),
        ("--query-budgets", asked["query_budgets"], suite.query_budgets),
    ]
    words = ["python -m benchmark run --suite", suite.name]
    for name, values, default in options:
        if values and set(values) != set(default):
            words += [name, *map(str, values)]
    return " ".join(words)


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
    if arguments.shared:
        from benchmark.shared import travels

        cells = [cell for cell in store.cells() if not arguments.suite or cell.settings["suite"] in arguments.suite]
        new = shared.export(store, cells, arguments.output, travels)
        print(f"{new} new in {arguments.output / shared.FOLDER}")
    return 0
