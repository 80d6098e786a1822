"""``audit``: one classifier against the strongest attack of each access, with a page at the end."""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

from benchmark.commands import run
from benchmark.commands.plugins import load_plugins
from benchmark.commands.run_options import chosen_suite
from benchmark.suite import Suite
from leaderboard.drawn.numbers import duration
from targets import TARGETS, SmoothedClassifier, cifar10, load

COST = {
    "clean": 0.0,
    "cross-and-land": 6.0,
    "nes": 3.0,
    "level-set": 20.0,
    "same-data-transfer": 6.0,
    "same-data-hybrid": 14.0,
}
"""What an attack takes an image, in calls of PREDICT: its seconds on the published CIFAR-10 board at ε = 1.0, times the
samples that the target took a second there, over n."""

TRIED = 2
"""Images whose votes are timed for the estimate."""


def main(arguments: argparse.Namespace) -> int:
    """Returns what `run` returns: 0, 1 where cells failed, 130 where interrupted."""
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    name = TARGETS[arguments.target].name
    suite_name = "audit-cifar10" if TARGETS[name].data == "cifar10" else "audit"
    options = run_options(arguments, suite_name)
    chosen = chosen_suite(options)
    target = load(name, arguments.device)
    seconds = estimated(chosen, seconds_a_sample(target, chosen.samples))
    epsilons = ", ".join(map(str, chosen.epsilons))
    print(
        f"{name}: {len(chosen.attack_names())} attacks at ε = {epsilons} on {chosen.images} images, "
        f"n = {chosen.samples:,}. About {duration(seconds)} on one core, and the training of a surrogate.",
        file=sys.stderr,
    )
    return run.run_suite(options, chosen)


def run_options(arguments: argparse.Namespace, suite: str) -> argparse.Namespace:
    """The options of the run that an audit is."""
    from benchmark.options import parser

    options = parser().parse_args(["run", "--suite", suite, "--targets", arguments.target])
    for name in ("epsilons", "images", "samples", "device", "data", "plugin", "quiet"):
        setattr(options, name, getattr(arguments, name))
    options.results = arguments.results or Path(f"audit-{arguments.target}")
    options.tables = True
    return options


def seconds_a_sample(target: SmoothedClassifier, n: int) -> float:
    """How long the target takes for a noisy copy of an image, on this machine, now."""
    images = TARGETS[target.name].data_set.split("evaluation").images[:TRIED]
    target.predict(images, n)  # the first call prepares the network
    begun = time.perf_counter()
    target.predict(images, n, seed=1)
    return (time.perf_counter() - begun) / (n * len(images))


def estimated(suite: Suite, seconds: float) -> float:
    """Seconds that a suite takes, at so many seconds a sample: attacks, their evaluation, clean votes and ceilings."""
    calls = sum(1 + COST[attack] for attack in suite.attack_names()) * len(suite.epsilons)
    return math.ceil(suite.images * (suite.ceiling_samples + suite.samples * (1 + calls)) * seconds)
