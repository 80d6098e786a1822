"""``submit``: images that another program made, scored and put on the board."""

from __future__ import annotations

import argparse
import sys

from benchmark.commands.plugins import load_plugins
from benchmark.commands.publish import said_damage, write_board
from benchmark.commands.signals import INTERRUPTED, interrupt_on_sigterm
from benchmark.key import settings_key
from benchmark.recheck.place import Submission
from benchmark.recheck.submission import EVALUATION_SEED, submit
from benchmark.terminal.progress import reporter
from leaderboard import Store, rows, terminal
from leaderboard.sources import attacked
from leaderboard.stored.source import SUBMITTED
from targets.data import cifar10
from targets.target import device_named


def main(arguments: argparse.Namespace) -> int:
    """Returns 0, or 130 where interrupted.

    Raises:
        InputError: a file or settings that cannot be scored.
    """
    interrupt_on_sigterm()
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    device_named(arguments.device)
    submission = Submission(
        path=arguments.file,
        target=arguments.target,
        epsilon=arguments.epsilon,
        name=arguments.name,
        queries=arguments.queries,
        suite=arguments.suite,
        samples=arguments.samples,
        alpha=arguments.alpha,
        seed=arguments.seed,
    )
    submission.check()  # before a folder is made
    store = Store.open(arguments.results, settings_key)
    before = {cell.key for cell in store.cells()}
    progress = reporter(1, [submission.name], arguments.quiet)
    try:
        cell = submit(store, submission, arguments.device, progress)
    except KeyboardInterrupt:
        print("stopped; nothing is stored. Run the same command again.", file=sys.stderr)
        return INTERRUPTED
    finally:
        progress.close()
    files = write_board(store, arguments.results)
    place = ("suite", "target", "epsilon", "n", "alpha", "seed")
    shown = [row for row in attacked(rows(store)) if all(dict(row)[name] == cell.settings[name] for name in place)]
    print(terminal(shown))
    if cell.key in before:
        print("\nThis file was scored before, on noise of the seed recorded then; nothing was scored again.")
    print(f"\nSHA-256 {cell.settings[SUBMITTED]}, evaluation seed {cell.settings[EVALUATION_SEED]}: both recorded.")
    print(f"Results: {arguments.results}. Page: {files[0]}.")
    said_damage(store)
    return 0
