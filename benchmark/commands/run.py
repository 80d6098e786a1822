"""``run``: every missing cell of a suite, then the board."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from attacks import ATTACKS
from benchmark.cli import INTERRUPTED
from benchmark.commands.plugins import load_plugins
from benchmark.commands.publish import write_board
from benchmark.commands.signals import interrupt_on_sigterm
from benchmark.progress import reporter
from benchmark.runner import Summary, count_cells, run
from benchmark.suite import DEFAULT, Suite, load_suite
from leaderboard import Store, matrices, rows, terminal
from leaderboard.check_tables import lines
from leaderboard.checks import check
from leaderboard.row import Row
from targets import InputError
from targets.target import device_named

OVERRIDES = ("targets", "attacks", "epsilons", "images", "samples", "alpha", "seed", "query_budgets")


def chosen_suite(arguments: argparse.Namespace) -> Suite:
    """The suite asked for, with the command line's values over the file's."""
    given: dict[str, Any] = {name: getattr(arguments, name) for name in OVERRIDES}
    given = {name: value for name, value in given.items() if value is not None}
    if not (arguments.all or arguments.suite or given):
        raise InputError("say what to run: --all, --suite NAME, or --targets and --attacks")
    for name in ("targets", "attacks", "epsilons", "query_budgets"):
        if name in given:
            given[name] = tuple(dict.fromkeys(given[name]))
    suite = dataclasses.replace(load_suite(arguments.suite or DEFAULT), **given)
    suite.check()
    return suite


def _wanted(suite: Suite) -> dict[str, Any]:
    """What the cells and rows of a suite, run as it is here, have in common."""
    return {"suite": suite.name, "n": suite.samples, "alpha": suite.alpha, "seed": suite.seed}


def other_images(suite: Suite, store: Store) -> str | None:
    """One of the suite's targets of whose other images the store has rows at the same n, alpha and seed; None without.

    Rows of a part of the images that the suite takes, or of more than them, are none of others.
    """
    wanted = _wanted(suite)
    held: dict[str, set[int]] = defaultdict(set)
    for cell in store.cells():
        if wanted.items() <= {name: cell.settings[name] for name in wanted}.items():
            held[cell.settings["target"]].update(cell.settings["images"])
    for name in suite.target_names():
        images = set(suite.indices(name))
        if held[name] and not (images <= held[name] or held[name] <= images):
            return name
    return None


def screen(shown: Sequence[Row], summary: Summary) -> str:
    """A matrix of these rows, in which those that were run just now are marked where others are beside them."""
    text = matrices(shown, summary.new, bold=sys.stdout.isatty(), width=shutil.get_terminal_size((100, 24)).columns)
    others = any((row["target"], row["attack"]) not in summary.new for row in shown)
    return f"{text}\n\n+: computed now" if summary.new and others else text


def main(arguments: argparse.Namespace) -> int:
    """Returns 0, 1 where cells failed, or 130 where interrupted."""
    interrupt_on_sigterm()
    load_plugins(arguments.plugin)
    device_named(arguments.device)
    suite = chosen_suite(arguments)
    if arguments.query_budgets and not any(ATTACKS[name].access.metered for name in suite.attack_names()):
        raise InputError(f"--query-budgets: {', '.join(suite.attack_names())} make no queries; leave it out")
    store = Store.open(arguments.results)
    if name := other_images(suite, store):
        print(
            f"{arguments.results} has rows of other images of {name}, with which these do not compare; "
            "--results FOLDER keeps a trial apart.",
            file=sys.stderr,
        )
    total = count_cells(suite)
    progress = reporter(total, suite.attack_names(), arguments.quiet)
    try:
        summary = run(suite, store, arguments.device, progress)
    except KeyboardInterrupt:
        progress.close()
        print(
            f"stopped; finished cells are kept in {arguments.results}. Run the same command again to go on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    finally:
        progress.close()
    files = write_board(store, arguments.results)
    shown = [row for row in rows(store) if _wanted(suite).items() <= row.items()]
    print(terminal(rows(store, summary.keys)) if arguments.tables else screen(shown, summary))
    print(f"\n{lines(check(shown))}")
    print(f"\n{summary.ran} cells run, {summary.stored} held already, {summary.failed} failed.")
    print(f"Results: {arguments.results}. Page: {files[0]}. The same command with --tables prints every row here.")
    if summary.renewed:
        print(f"{summary.renewed} held cells got new ceilings, from {suite.ceiling_samples:,} noise samples an image.")
    if summary.left_out:
        print(f"{summary.left_out} best-of cells left out: attacks whose records were adopted have no images here.")
    if summary.failed:
        print(
            f"{summary.failed} cells failed; the board says why. The next run tries them again.",
            file=sys.stderr,
        )
    return 1 if summary.failed else 0
