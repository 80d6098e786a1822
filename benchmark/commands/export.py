"""``export``: a target's clean images, for a method in another language or framework."""

from __future__ import annotations

import argparse
from io import BytesIO

import numpy as np

from benchmark.commands.plugins import load_plugins
from benchmark.running.evaluation import take
from leaderboard.stored import atomic
from targets import DATA, TARGETS, InputError
from targets.data import cifar10, evenly_spaced
from targets.limits import check_test


def main(arguments: argparse.Namespace) -> int:
    """Returns 0.

    Raises:
        InputError: no such target, more images than there are, or a file that is no ``.npz``.
        StoreError: the file cannot be written.
    """
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    target = TARGETS[arguments.target]
    check_test(arguments.samples, arguments.alpha)
    if arguments.output.suffix != ".npz":
        raise InputError(f"--output is {arguments.output}; give a file that ends in .npz")
    if not arguments.output.parent.is_dir():
        raise InputError(f"--output: there is no folder {arguments.output.parent}; make it, or choose another")
    split = target.data_set.split("evaluation")
    indices = evenly_spaced(len(split.images), arguments.images)
    buffer = BytesIO()
    np.savez_compressed(
        buffer,
        images=take(split.images, indices).numpy(),
        labels=take(split.labels, indices).numpy(),
        indices=np.array(indices, dtype=np.int64),
        sigma=np.float64(target.sigma),
        n=np.int64(arguments.samples),
        alpha=np.float64(arguments.alpha),
        num_classes=np.int64(DATA[target.data].num_classes),
    )
    atomic.write(arguments.output, buffer.getvalue())
    print(f"{arguments.output}: {len(indices)} clean images of {target.name} in [0, 1], float32 (N, C, H, W),")
    print(f"with labels, indices, sigma = {target.sigma:g}, n = {arguments.samples} and alpha = {arguments.alpha:g}.")
    print(f"Put yours in their place and send them: submit FILE.npz --target {target.name} --epsilon E --name NAME")
    return 0
