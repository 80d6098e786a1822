"""``audit``: one classifier against the strongest attack of each access, with a page at the end.

Then the same images at the sequential predictor: what they cost whoever deploys that in place of PREDICT.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmark.commands import run
from benchmark.commands.plugins import load_plugins
from benchmark.commands.run_options import chosen_suite
from benchmark.commands.sequential import measure
from benchmark.commands.signals import INTERRUPTED
from benchmark.key import settings_key
from benchmark.recheck.plan import Asked
from benchmark.recheck.sequential import ALPHA, MOST
from benchmark.suite import Suite
from leaderboard import Store
from leaderboard.availability import standings
from leaderboard.board import measured
from leaderboard.drawn.numbers import duration
from leaderboard.drawn.standing_text import standing_text
from leaderboard.html.page import INDEX
from leaderboard.variants import variants
from targets import TARGETS, SmoothedClassifier, load
from targets.data import cifar10

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

QUICK = "digits"
"""The data set whose surrogates ship with the program, or are trained in seconds."""

SLOWED = 0.4
"""What the sequential predictor takes of its most samples at an attacked image, on average: on the board digits-samples
at n = 1,000, over its five attacks and two ε. Originals take less, and are counted as much once."""

TRIED = 2
"""Images whose votes are timed for the estimate."""


def main(arguments: argparse.Namespace) -> int:
    """Returns what `run` returns: 0, 1 where cells failed, 130 where interrupted."""
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    name = TARGETS[arguments.target].name
    suite_name = "audit-cifar10" if TARGETS[name].data == "cifar10" else "audit"
    runs = [run_options(arguments, suite_name, n) for n in sorted(set(arguments.samples or [None]))]
    suites = [chosen_suite(options) for options in runs]
    target = load(name, arguments.device)
    first = suites[0]
    seconds = seconds_a_sample(target, first.samples)
    training = "" if TARGETS[name].data == QUICK else ", and the training of a surrogate that the folder lacks"
    print(
        f"{name}: {len(first.attack_names())} attacks at ε = {', '.join(map(str, first.epsilons))} on {first.images} "
        f"images, n = {', '.join(f'{suite.samples:,}' for suite in suites)}. "
        f"About {duration(estimated(suites, seconds))} on one core{training}.",
        file=sys.stderr,
    )
    codes: list[int] = []
    for options, suite in zip(runs, suites, strict=True):
        if codes:
            print()
        codes.append(run.run_suite(options, suite, says_where=False))
        if codes[-1] == INTERRUPTED:
            break
    if INTERRUPTED not in codes:
        codes.append(slowed(arguments, runs[0].results, name, suites))
    if codes != [INTERRUPTED]:
        say(runs[0].results, name, suites)
    return max(codes)


def slowed(arguments: argparse.Namespace, results: Path, target: str, suites: Sequence[Suite]) -> int:
    """Measure what the images of these runs cost the sequential predictor; returns 0, or 130 where interrupted."""
    store = Store.open(results, settings_key)
    if not any(cell.has_images and cell.settings["target"] == target for cell in store.cells()):
        return 0  # every attack failed, or was adopted
    asked = Asked(patterns={"suite": [suites[0].name], "target": [target]}, epsilons=suites[0].epsilons)
    samples = [suite.samples for suite in suites]
    print()
    if not arguments.quiet:
        print(f"Now the same images at the sequential predictor, at most {MOST:,} samples each.", file=sys.stderr)
    return measure(
        store, asked, MOST, ALPHA, arguments.device, samples=samples, quiet=arguments.quiet, says_where=False
    )


def say(results: Path, target: str, suites: Sequence[Suite]) -> None:
    """Print what the target keeps answering in these runs, and where the results and the page are."""
    asked = {(suite.samples, suite.images, epsilon) for suite in suites for epsilon in suite.epsilons}
    store = Store.read(results, settings_key)
    for one in standings(measured(store, variants(store.cells()))):
        if one["target"] == target and (one["n"], one["of_images"], one["epsilon"]) in asked:
            print(f"\n{standing_text(one)}")
    print(f"\nResults: {results}. Page: {results / INDEX}.")


def run_options(arguments: argparse.Namespace, suite: str, samples: int | None) -> argparse.Namespace:
    """The options of the run that an audit is at one n; None for the suite's."""
    from benchmark.options import parser

    options = parser().parse_args(["run", "--suite", suite, "--targets", arguments.target])
    for name in ("epsilons", "images", "device", "data", "plugin", "quiet"):
        setattr(options, name, getattr(arguments, name))
    options.samples = samples
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


def estimated(suites: Sequence[Suite], seconds: float) -> float:
    """Seconds that suites on the same images take, at so many seconds a sample.

    They share the evidence of the ceilings, and what the originals cost the sequential predictor; attacks, their
    evaluation, their own cost at that predictor and clean votes are each suite's own.
    """
    samples: float = max(suite.ceiling_samples for suite in suites) + SLOWED * MOST
    for suite in suites:
        attacks = [name for name in suite.attack_names() if name != "clean"]
        samples += SLOWED * MOST * len(attacks) * len(suite.epsilons)
        calls = sum(1 + COST[attack] for attack in suite.attack_names()) * len(suite.epsilons)
        samples += suite.samples * (1 + calls)
    return math.ceil(suites[0].images * samples * seconds)
