"""``publish``: the board as a page, JSON and pictures. Without torch, which takes longer to load than most boards."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from benchmark.key import settings_key
from benchmark.provenance import DISTRIBUTION, commit
from leaderboard import Store
from leaderboard import publish as publish_board
from leaderboard.machines import Asked
from leaderboard.stored import arrays, cells, published_arrays, sequential

OTHER_VERBS = (["reevaluate"], ["submit"])
"""The first word of requests that are none of ``run``."""


def write_board(store: Store, output: Path, suites: Collection[str] | None = None, force: bool = False) -> list[Path]:
    """Write the board of a store, or of some of its suites, to ``output``; over another board only with ``force``."""
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
        force=force,
    )


def run_command(asked: Asked) -> str:
    """The command line that runs what was asked for, as it was given if that is recorded.

    If not: `run` with the suite, by name if it comes with the package and else as a file, and what differs from it.
    """
    if asked["options"] is not None:
        # What `run` is asked for begins with an option; what other commands are, with their name.
        verb = "" if asked["options"][:1] in OTHER_VERBS else "run "
        return f"python -m benchmark {verb}{shlex.join(asked['options'])}"
    from benchmark.suite_file import load_suite, suite_names

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
    """Returns 0, or 1 where damaged cells are left out of the board.

    Raises:
        InputError: a suite that the results folder does not hold, or a site without boards.
        StoreError: the output holds another board, a folder of the site's boards holds none, or the measured costs at
            the sequential predictor are damaged.
    """
    if arguments.site or arguments.boards:
        return _site(arguments.site, arguments.boards)
    store = Store.read(arguments.results, settings_key)
    sequential.read(store.folder)  # a damaged file is an error here, where nothing else would be lost
    output = arguments.output or arguments.results
    for part in (cells.FOLDER, arrays.FOLDER):
        if output.resolve().is_relative_to((arguments.results / part).resolve()):
            from targets import InputError

            raise InputError(f"{output} is where the results folder keeps its own files; choose another --output")
    if arguments.suite:
        held = store.suites()
        for name in arguments.suite:
            if held and name not in held:
                from targets.registry import unknown

                raise unknown("suite", name, held)
    for path in write_board(store, output, arguments.suite, arguments.force):
        print(path)
    if arguments.shared:
        from benchmark.running.exported import is_exported

        chosen = [cell for cell in store.cells() if not arguments.suite or cell.settings["suite"] in arguments.suite]
        new = published_arrays.export(store, chosen, output, is_exported)
        print(f"{new} new in {output / arrays.FOLDER}")
    return said_damage(store)


def _site(output: Path | None, boards: Collection[Path]) -> int:
    from leaderboard.html.site import site

    if output is None or not boards:
        from targets import InputError

        raise InputError("a site needs its folder and boards: publish --site DIR BOARD...")
    for path in site(list(boards), output, key_of=settings_key, command=run_command):
        print(path)
    return 0


def said_damage(store: Store) -> int:
    """Say how many cells a board leaves out as damaged; returns the exit code: 1 if there are any, else 0."""
    damaged = store.survey()[1]
    if damaged:
        print(
            f"{len(damaged)} damaged cells are left out of the board, named above and on the page. `run` computes "
            "those of its suite again; `remove --damaged` removes them.",
            file=sys.stderr,
        )
    return 1 if damaged else 0
