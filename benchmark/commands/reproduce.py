"""``reproduce``: the seed paper's whole experiment, and a report of it."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec

from benchmark.commands.plugins import load_plugins
from benchmark.commands.signals import INTERRUPTED, interrupt_on_sigterm
from leaderboard import Store
from targets import InputError
from targets.data import cifar10
from targets.target import device_named


def main(arguments: argparse.Namespace) -> int:
    """Returns 0, or 130 where interrupted.

    Raises:
        InputError: matplotlib is not installed, or a setting cannot be run.
    """
    if find_spec("matplotlib") is None:  # before the hours that a run takes
        raise InputError("the report's figures are drawn by matplotlib; install it: python -m pip install matplotlib")
    from benchmark.seed_paper import Settings, prepare_report, reproduce, write_report

    interrupt_on_sigterm()
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    device_named(arguments.device)
    settings = Settings(
        target=arguments.target,
        images=arguments.images,
        samples=tuple(arguments.samples),
        query_samples=arguments.query_samples,
        epochs=arguments.epochs,
        seed=arguments.seed,
    )
    settings.check()
    store = Store.open(arguments.results)
    prepare_report(arguments.output)
    try:
        result = reproduce(settings, store, arguments.device, quiet=arguments.quiet)
    except KeyboardInterrupt:
        print(
            f"stopped; what is finished is kept in {arguments.results}. Run the same command again to go on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    for path in write_report(result, arguments.output):
        print(path)
    return 0
