"""``predict``: PREDICT on a target's evaluation images, written to a table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from torch import Tensor

from benchmark.commands.plugins import load_plugins
from benchmark.commands.signals import interrupt_on_sigterm
from benchmark.tables import tsv
from benchmark.tables.sweep import Answers, Sweep, share
from benchmark.terminal.notices import announce, warn_at_chance
from targets import ABSTAIN, SmoothedClassifier, load
from targets.data import cifar10


def main(arguments: argparse.Namespace) -> int:
    """Returns 0."""
    interrupt_on_sigterm()
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    target = load(arguments.target, arguments.device)
    announce(target)
    n, alpha, seed = arguments.samples, arguments.alpha, arguments.seed

    def fixed(target: SmoothedClassifier, images: Tensor, indices: Sequence[int]) -> Answers:
        return target.predict(images, n, alpha, seed, indices=indices), {}

    def sequential(target: SmoothedClassifier, images: Tensor, indices: Sequence[int]) -> Answers:
        labels, used = target.predict_sequentially(images, n, alpha, seed, indices=indices)
        return labels, {"samples": used}

    sampling = {"n": n, "alpha": alpha, "seed": seed}
    if arguments.sequential:
        sweep = Sweep("predict-sequential", tsv.SEQUENTIAL, sampling, sequential, arguments.images, arguments.output)
    else:
        sweep = Sweep("predict", tsv.PREDICT, sampling, fixed, arguments.images, arguments.output)
    path, rows = sweep.run(target, arguments.quiet)
    mode = "sequential, at most " if arguments.sequential else ""
    print(f"{target.name} · {mode}n = {n:,}, α = {alpha:g} · {len(rows):,} images [95% CI]")
    print(f"accuracy   {share(sum(row.correct for row in rows), len(rows))}")
    print(f"abstention {share(sum(row.predict == ABSTAIN for row in rows), len(rows))}")
    if arguments.sequential:
        used = [row.samples for row in rows if row.samples is not None]
        print(f"samples    {sum(used) / len(used):,.0f} an image, {max(used):,} at most")
    print(f"\n{path}")
    answered = sum(row.predict != ABSTAIN for row in rows)
    warn_at_chance(target.name, sum(row.correct for row in rows), answered, target.num_classes)
    return 0
