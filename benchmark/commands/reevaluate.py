"""``reevaluate``: stored images scored again under other PREDICT settings."""

from __future__ import annotations

import argparse
import sys

from benchmark.commands.plugins import load_plugins
from benchmark.commands.publish import said_damage, write_board
from benchmark.commands.sequential import measure
from benchmark.commands.signals import INTERRUPTED, interrupt_on_sigterm
from benchmark.key import settings_key
from benchmark.recheck.plan import KINDS, Asked, plan
from benchmark.recheck.reevaluation import reevaluate
from benchmark.recheck.sequential import ALPHA, MOST
from benchmark.terminal.progress import reporter
from leaderboard import Store, rows
from leaderboard.drawn.landed import landed_text
from targets import InputError
from targets.data import cifar10
from targets.target import device_named

WORDS = ("--suite", "--targets", "--attacks", "--epsilons", "--samples", "--alpha", "--seed", "--plugin")
"""The options that decide what is scored again."""


def main(arguments: argparse.Namespace) -> int:
    """Returns 0, or 130 where interrupted.

    Raises:
        InputError: nothing says how to score again, or nothing fits.
        StoreError: there is no results folder.
    """
    interrupt_on_sigterm()
    if not arguments.sequential and not (arguments.samples or arguments.alpha is not None or arguments.seed):
        raise InputError("say how to score again: --samples N, --alpha A or --seed S, or --sequential")
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    device_named(arguments.device)
    Store.read(arguments.results)  # none is made where there is none
    store = Store.open(arguments.results, settings_key)
    asked = Asked(
        patterns={kind: getattr(arguments, option) for option, kind in KINDS.items() if getattr(arguments, option)},
        epsilons=arguments.epsilons or (),
        samples=tuple(dict.fromkeys(arguments.samples or ())),
        alpha=arguments.alpha,
        seeds=tuple(dict.fromkeys(arguments.seed or ())),
    )
    if arguments.sequential:
        return _sequential(store, asked, arguments)
    made = plan(store, asked)
    attacks = list(dict.fromkeys(task.origin.settings["attack"] for task in made.tasks))
    progress = reporter(len(made.tasks), attacks, arguments.quiet)
    try:
        summary = reevaluate(store, made, arguments.device, progress, _options(arguments))
    except KeyboardInterrupt:
        progress.close()
        print(
            f"stopped; what is scored is kept in {arguments.results}. Run the same command again to go on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    finally:
        progress.close()
    for reason, count in sorted(made.left_out.items()):
        print(f"{count} cells are left out: they {reason}.")
    if not summary.keys:
        raise InputError(
            "no cell is left to score again; its images must lie in the results folder that ran the attack"
        )
    files = write_board(store, arguments.results)
    new = set(summary.keys)
    names = {(c.settings["suite"], c.settings["target"], c.settings["epsilon"]) for c in store.cells() if c.key in new}
    print(landed_text([row for row in rows(store) if (row["suite"], row["target"], row["epsilon"]) in names]))
    print(f"\n{summary.scored} cells scored again, {summary.held} stored already. No attack was run.")
    print(f"Results: {arguments.results}. Page: {files[0]}.")
    said_damage(store)
    return 0


def _sequential(store: Store, asked: Asked, arguments: argparse.Namespace) -> int:
    """Measure what the chosen images cost the sequential predictor. No row of the board changes."""
    if asked.seeds or len(asked.samples) > 1:
        raise InputError("--sequential takes one --samples N, and no --seed: its noise is that of the evaluation")
    n, alpha = (*asked.samples, MOST)[0], ALPHA if asked.alpha is None else asked.alpha
    return measure(store, asked, n, alpha, arguments.device, quiet=arguments.quiet)


def _options(arguments: argparse.Namespace) -> list[str]:
    """The words that ask for the same again."""
    words = ["reevaluate"]
    for option in WORDS:
        value = getattr(arguments, option.removeprefix("--"))
        if value not in (None, []):
            given = value if isinstance(value, list) else [value]
            words += [option, *(one.name if option == "--plugin" else str(one) for one in given)]
    return words
