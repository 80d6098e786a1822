"""``train``: make a target's weights again."""

from __future__ import annotations

import argparse

import torch

from targets import DATA, TARGETS, InputError, SmoothedClassifier
from targets.training import train
from targets.weights import save_weights


def main(arguments: argparse.Namespace) -> int:
    """Returns 0."""
    from tqdm import tqdm

    target = TARGETS[arguments.target]
    if target.recipe is None:
        raise InputError(f"target {target.name!r} comes from a plugin that says nothing of its training")
    data = DATA[target.data]
    path = arguments.output / target.weights.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # said now, not after the training
        raise InputError(f"cannot write into {arguments.output}: {error.strerror}; choose another folder") from error
    with tqdm(total=target.recipe.epochs, unit="epoch", disable=arguments.quiet or None, leave=False) as bar:

        def progress(epoch: int, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}")
            bar.update(1)

        with torch.random.fork_rng():
            torch.manual_seed(arguments.seed)
            module = train(
                target.build(),
                data.split("train"),
                target.sigma,
                target.recipe,
                seed=arguments.seed,
                progress=progress,
            )
    digest = save_weights(module, path)
    split = data.split("evaluation")
    smoothed = SmoothedClassifier(module, target.sigma, data.num_classes, name=target.name)
    answers = smoothed.predict(split.images)
    right = float((answers == split.labels.numpy()).mean())
    abstained = float((answers == -1).mean())
    print(f"{target.name}: accuracy {right:.1%}, abstention {abstained:.1%} on {len(answers)} images (n = 1000)")
    same = "the registered weights" if digest == target.sha256 else "not the registered weights, bit for bit"
    print(f"{path} (SHA-256 {digest}): {same}.")
    return 0
