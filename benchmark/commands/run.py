"""``run``: run the missing cells of a suite, then write the board."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from attacks import ATTACKS
from benchmark.commands.plugins import load_plugins
from benchmark.commands.publish import said_damage, write_board
from benchmark.commands.run_options import asked_options, chosen_suite, engine_options
from benchmark.commands.signals import INTERRUPTED, interrupt_on_sigterm
from benchmark.key import settings_key
from benchmark.options import program
from benchmark.running.engines import EngineChoice
from benchmark.running.limits import Limits
from benchmark.running.plan import plan
from benchmark.running.runner import Summary, count_cells, run
from benchmark.suite import Suite
from benchmark.terminal.failures import say_failures
from benchmark.terminal.notices import warn_of_rows
from benchmark.terminal.progress import reporter
from leaderboard import Store, matrices, rows, terminal
from leaderboard.checks import check
from leaderboard.drawn.check_tables import lines
from leaderboard.html.page import INDEX
from leaderboard.image_sets import TOGETHER, grouped, image_sets
from leaderboard.row import Row
from leaderboard.sources import attacked
from leaderboard.variants import outdated
from targets import TARGETS, InputError
from targets.data import cifar10
from targets.target import device_named

MOST_WORKERS = 1024


def _wanted(suite: Suite) -> dict[str, Any]:
    """Settings that all cells and rows of this suite have in common."""
    return {"suite": suite.name, "n": suite.samples, "alpha": suite.alpha, "seed": suite.seed}


def other_sets(suite: Suite, store: Store) -> list[int]:
    """Sizes of the other image sets that the store has rows of, at the same suite, n, alpha and seed."""
    wanted = _wanted(suite)
    cells = [cell for cell in store.cells() if wanted.items() <= cell.settings.items()]
    return sorted(
        {found.size for together in grouped(cells, TOGETHER) for found in image_sets(together)} - {suite.images}
    )


def left_out(suite: Suite, store: Store) -> list[str]:
    """A line for each data set of this suite with stored cells on other images or labels, which no row counts."""
    used = {TARGETS[name].data for name in suite.target_names()}
    count = Counter(cell.settings["data"] for cell in outdated(store.cells()))
    return [
        f"{count[name]:,} stored cells are of other images or labels of data set {name!r} and are left out; "
        "if you did not change it, seed its generator."
        for name in sorted(used & count.keys())
    ]


def screen(shown: Sequence[Row], summary: Summary) -> str:
    """A matrix of these rows. If only some of them were computed by this run, those are marked."""
    others = any((row["target"], row["attack"]) not in summary.new for row in shown)
    marks = summary.new if others else set()
    text = matrices(shown, marks, bold=sys.stdout.isatty(), width=shutil.get_terminal_size((100, 24)).columns)
    return f"{text}\n\n+: computed now" if marks else text


def main(arguments: argparse.Namespace) -> int:
    """Returns 0, 1 where cells failed, or 130 where interrupted."""
    interrupt_on_sigterm()
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    device_named(arguments.device)
    return run_suite(arguments, chosen_suite(arguments))


def run_suite(arguments: argparse.Namespace, suite: Suite, says_where: bool = True) -> int:
    """Run a suite, whose plugins are loaded; returns as `main` does.

    Args:
        says_where: whether to print where the results and the page are.
    """
    if arguments.workers is not None and not 0 <= arguments.workers <= MOST_WORKERS:
        raise InputError(f"--workers is {arguments.workers}; give a number from 0 to {MOST_WORKERS}")
    engine = EngineChoice(arguments.engine, arguments.scheduler, engine_options(arguments.engine_options))
    limits = Limits(arguments.cell_timeout, arguments.cell_memory)
    if arguments.query_budgets and not any(ATTACKS[name].access.metered for name in suite.attack_names()):
        raise InputError(f"--query-budgets: {', '.join(suite.attack_names())} make no queries; leave it out")
    if arguments.dry_run:
        print(plan(suite, arguments.results, arguments.device, arguments.workers))
        return 0
    store = Store.open(arguments.results, settings_key)
    if sizes := other_sets(suite, store):
        print(
            f"{arguments.results} has rows of {', '.join(map(str, sizes))} images, too. They do not compare with these "
            f"of {suite.images} and stand in groups of their own; --results FOLDER keeps a trial apart.",
            file=sys.stderr,
        )
    total = count_cells(suite)
    progress = reporter(total, suite.attack_names(), arguments.quiet)
    try:
        summary = run(
            suite,
            store,
            arguments.device,
            progress,
            asked_options(arguments, suite),
            arguments.workers,
            arguments.plugin,
            arguments.data,
            engine,
            limits,
        )
    except KeyboardInterrupt:
        progress.close()
        print(
            f"stopped; finished cells are kept in {arguments.results}. Run the same command again to go on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    finally:
        progress.close()
    page = next(path for path in write_board(store, arguments.results) if path.name == INDEX)
    shown = [
        row for row in attacked(rows(store)) if (_wanted(suite) | {"of_images": suite.images}).items() <= row.items()
    ]
    ran = [row for row in rows(store, summary.keys) if row["of_images"] == suite.images]
    print(terminal(ran) if arguments.tables else screen(shown, summary))
    print(f"\n{lines(check(shown))}")
    print(f"\n{summary.ran} cells run, {summary.stored} stored already, {summary.failed} failed.")
    if says_where:
        hint = "" if arguments.tables else " The same command with --tables prints every row here."
        print(f"Results: {arguments.results}. Page: {page}.{hint}")
    if summary.renewed:
        least = f"at least {suite.ceiling_samples:,}"
        print(f"{summary.renewed} stored cells got new ceilings from {least} noise samples an image.")
    if summary.left_out:
        print(f"{summary.left_out} best-of cells left out: adopted records have no images to choose from.")
    for line in left_out(suite, store):
        print(line)
    said_damage(store)
    warn_of_rows(ran)
    if summary.failed:
        say_failures(filter(None, map(store.cell, summary.keys)), arguments.results, program())
        print(
            f"{summary.failed} cells failed; the board says why. The next run tries them again.",
            file=sys.stderr,
        )
    return 1 if summary.failed else 0
