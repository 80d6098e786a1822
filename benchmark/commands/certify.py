"""``certify``: CERTIFY on a target's evaluation images, written to a table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from torch import Tensor

from benchmark.commands.plugins import load_plugins
from benchmark.commands.signals import interrupt_on_sigterm
from benchmark.tables import tsv
from benchmark.tables.sweep import Answers, Sweep, share
from benchmark.tables.tsv import Row
from benchmark.terminal.notices import announce, warn_at_chance
from targets import ABSTAIN, SmoothedClassifier, load
from targets.data import cifar10

STEP = 0.25
"""Step between the radii at which certified accuracy is shown."""


def main(arguments: argparse.Namespace) -> int:
    """Returns 0."""
    interrupt_on_sigterm()
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    target = load(arguments.target, arguments.device)
    announce(target)
    n0, n, alpha, seed = arguments.n0, arguments.samples, arguments.alpha, arguments.seed

    def ask(target: SmoothedClassifier, images: Tensor, indices: Sequence[int]) -> Answers:
        labels, radii = target.certify(images, n0, n, alpha, seed, indices=indices)
        return labels, {"radius": radii}

    sampling = {"n0": n0, "n": n, "alpha": alpha, "seed": seed}
    sweep = Sweep("certify", tsv.CERTIFY, sampling, ask, arguments.images, arguments.output)
    path, rows = sweep.run(target, arguments.quiet)
    print(f"{target.name} · n0 = {n0:,}, n = {n:,}, α = {alpha:g} · {len(rows):,} images [95% CI]")
    print(summary(rows))
    print(f"\n{path}")
    answered = sum(row.predict != ABSTAIN for row in rows)
    warn_at_chance(target.name, sum(row.correct for row in rows), answered, target.num_classes)
    return 0


def average_certified_radius(rows: Sequence[Row]) -> float:
    """ACR (Zhai et al. 2020): the mean radius over all images, 0 for an image that is not answered correctly."""
    return sum(row.radius or 0.0 for row in rows if row.correct) / len(rows)


def summary(rows: Sequence[Row]) -> str:
    """Certified accuracy by radius, abstention rate and average certified radius of one or more rows.

    Radii are rounded as in the table, so that scripts that read the table get the same numbers.
    """
    from tabulate import tabulate

    largest = max(row.radius or 0.0 for row in rows)
    table = []
    for step in range(int(largest / STEP) + 1):
        hits = sum(row.correct and (row.radius or 0.0) >= step * STEP for row in rows)
        table.append([f"{step * STEP:.2f}", share(hits, len(rows))])
    abstained = share(sum(row.predict == ABSTAIN for row in rows), len(rows))
    return "\n".join(
        [
            tabulate(table, headers=["radius", "certified accuracy"], disable_numparse=True),
            f"\nabstention {abstained}",
            f"average certified radius {average_certified_radius(rows):.3f}",
        ]
    )
