"""``train``: retrain a target's base classifier, and write its weights and their model card."""

from __future__ import annotations

import argparse
import copy
import sys
import time
from pathlib import Path

import torch
from torch import nn

from benchmark.commands.signals import interrupt_on_sigterm
from benchmark.running.evaluation import take
from benchmark.tables.model_card import Measured, Pace, model_card
from leaderboard.stored import atomic
from targets import ABSTAIN, TARGETS, InputError, SmoothedClassifier, Target
from targets.data import cifar10, evenly_spaced
from targets.limits import check_whole
from targets.mean_logits import networks
from targets.precision import in_precision
from targets.target import device_named
from targets.training import train
from targets.weights import save_weights

IMAGES = 500
"""Most evaluation images that are answered for the model card."""

SAMPLES = 1000
GROUP = 20
"""Images that are answered between two steps of the progress bar. Answers do not depend on it."""


def main(arguments: argparse.Namespace) -> int:
    """Returns 0."""
    interrupt_on_sigterm()
    cifar10.use_folder(arguments.data)
    target = TARGETS[arguments.target]
    if target.recipe is None:
        raise InputError(f"target {target.name!r} comes from a plugin that says nothing of its training")
    device = device_named(arguments.device)
    check_whole("seed", arguments.seed)
    path = arguments.output / target.weights.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"{arguments.output} is not a folder; give another --output") from error
    except OSError as error:  # before the training, not after it
        raise InputError(f"cannot write into {arguments.output}: {error.strerror}; choose another folder") from error
    checkpoint = path.with_suffix(".checkpoint")
    try:
        module, pace = _train(target, device, arguments.seed, checkpoint, arguments.quiet)
        digest = save_weights(module, path)
        measured = _measure(target, module, device, arguments.quiet)
    except KeyboardInterrupt:
        kept = f"finished epochs are kept in {checkpoint}" if checkpoint.exists() else "no epoch was finished"
        print(f"stopped; {kept}. Run the same command again to go on.", file=sys.stderr)
        raise
    card = path.with_suffix(".md")
    atomic.write(card, model_card(target, module, arguments.seed, device, digest, measured, pace).encode())
    for member in range(len(networks(module, arguments.seed))):  # last of all: until here the same command resumes
        _of_member(checkpoint, member).unlink(missing_ok=True)
    print(
        f"{target.name}: accuracy {measured.right / measured.images:.1%}, abstention "
        f"{measured.abstained / measured.images:.1%} on {measured.images} images (n = {measured.n})"
    )
    same = "the registered weights" if digest == target.sha256 else "not the registered weights, bit for bit"
    print(f"{path} (SHA-256 {digest}): {same}. Used like any checkpoint: --plugin FILE.toml, see docs/add-a-target.md.")
    print(f"Model card: {card}")
    return 0


def _train(target: Target, device: torch.device, seed: int, checkpoint: Path, quiet: bool) -> tuple[nn.Module, Pace]:
    """The trained base classifier, and how long it took."""
    from tqdm import tqdm

    assert target.recipe is not None
    split = target.data_set.split("train")
    epochs = target.recipe.epochs
    begun = time.perf_counter()
    pace = Pace()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = target.build().to(device)
        members = networks(module, seed)
        total = epochs * len(members)
        with tqdm(total=total, desc=target.name, unit="epoch", disable=quiet or None, leave=False) as bar:

            def resumed(held: int) -> None:
                bar.initial = bar.n = bar.n + held  # they do not count for the speed that the bar shows
                bar.refresh()

            def progress(epoch: int, loss: float) -> None:
                nonlocal pace
                pace = Pace(pace.epochs + 1, time.perf_counter() - begun)
                bar.set_postfix(loss=f"{loss:.3f}")
                bar.update(1)

            for i, (network, its_seed) in enumerate(members):
                train(
                    network,
                    split,
                    target.sigma,
                    target.recipe,
                    defence=target.defence,
                    seed=its_seed,
                    progress=progress,
                    checkpoint=_of_member(checkpoint, i),
                    resumed=resumed,
                )
        module.eval()
    return module, pace


def _of_member(checkpoint: Path, member: int) -> Path:
    """The checkpoint of an ensemble's member; the first one's is also that of a single network."""
    return checkpoint.with_suffix(f".member{member + 1}.checkpoint") if member else checkpoint


def _measure(target: Target, module: nn.Module, device: torch.device, quiet: bool) -> Measured:
    """PREDICT on evenly spaced evaluation images, in the precision that the target is deployed in."""
    from tqdm import tqdm

    data = target.data_set
    split = data.split("evaluation")
    available = len(split.images)
    smoothed = SmoothedClassifier(
        in_precision(copy.deepcopy(module), target.precision),
        target.sigma,
        data.num_classes,
        name=target.name,
        data=target.data,
        device=device,
        stream=target.stem,
    )
    indices = evenly_spaced(available, min(IMAGES, available))
    right = abstained = 0
    with tqdm(total=len(indices), desc="measuring", unit="image", disable=quiet or None, leave=False) as bar:
        for start in range(0, len(indices), GROUP):
            group = indices[start : start + GROUP]
            answers = smoothed.predict(take(split.images, group), SAMPLES, indices=group)
            right += int((answers == take(split.labels, group).numpy()).sum())
            abstained += int((answers == ABSTAIN).sum())
            bar.update(len(group))
    return Measured(SAMPLES, len(indices), right, abstained)
