"""A surrogate of the experiment: trained on true labels or on the black box's answers, stored, and measured.

The boards' surrogates are others: an attack chooses their recipe (:mod:`attacks.surrogate`). Here the experiment trains
them, one for each query set, and hands them to its attacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks.surrogate import AlikeInAnyBatch
from benchmark.running.evaluation import take
from benchmark.seed_paper.queries import QuerySet
from benchmark.seed_paper.settings import Settings
from benchmark.seed_paper.stages import SHARD_SAMPLES, Arrays, Done, Stages, Tick
from targets import ABSTAIN, InputError, SmoothedClassifier
from targets.data import Split
from targets.models import ARCHITECTURES
from targets.noise import keyed_generator
from targets.training import train

BATCH = 1000
"""Images a forward pass."""

SHARD = 5000
"""Images that a surrogate's predictions are stored for together."""


@dataclass(frozen=True)
class TrainedSurrogate:
    """A surrogate in evaluation mode, and what it was trained on.

    Attributes:
        identity: every setting that shaped it, JSON-able.
        queries: name of the query set it was trained on.
        module: images (N, C, H, W) in [0, 1] → logits (N, K + 1), or (N, K) where smoothed. An image gets the same
            logits in any batch.
        trained_on: number of images.
    """

    identity: dict[str, Any]
    queries: str
    module: AlikeInAnyBatch
    trained_on: int

    @property
    def smoothed(self) -> bool:
        """Whether it was trained with noise, for an attack that smooths it. It then has no abstention class."""
        return bool(self.identity["sigma"])


def train_on_labels(stages: Stages, settings: Settings, queries: QuerySet, device: torch.device) -> TrainedSurrogate:
    """Train a surrogate on all images of a query set with their true labels (Table 1).

    It has the abstention class too, though no image is labelled so.
    """
    if queries.labels is None:
        raise ValueError(f"the {queries.name} images have no true labels")
    identity = {"labels": "true", **queries.identity()}
    classes = settings.data_set.num_classes + 1
    return _trained(stages, settings, queries, queries.labels, classes, 0.0, identity, device)


def train_on_answers(
    stages: Stages,
    settings: Settings,
    target: SmoothedClassifier,
    queries: QuerySet,
    answers: NDArray[np.int64],
    *,
    smoothed: bool = False,
) -> TrainedSurrogate:
    """Train a surrogate on the black box's answers to nine tenths of a query set.

    Args:
        answers: the answers (M,), ABSTAIN = -1.
        smoothed: train it for the margin attack, which smooths it: with the target's noise, without the images that
            the black box abstained on, and without the abstention class.

    Raises:
        InputError: the black box abstained on all of them.
    """
    used = ~queries.held_out(settings.seed)
    classes = target.num_classes
    if smoothed:
        used &= answers != ABSTAIN
        labels = answers
    else:
        labels = np.where(answers == ABSTAIN, classes, answers)
    identity = {
        "labels": "answers",
        "target": target.identity,  # whole, since its sigma is another than the surrogate's
        "n": settings.query_samples,
        "alpha": settings.alpha,
        **queries.identity(),
    }
    rows = torch.from_numpy(np.flatnonzero(used))
    if len(rows) == 0:
        raise InputError(
            f"{target.name} abstained on all {len(answers)} {queries.name} queries; give more images or query samples"
        )
    chosen = QuerySet(queries.name, queries.source, queries.images[rows], tuple(rows.tolist()))
    return _trained(
        stages,
        settings,
        chosen,
        torch.from_numpy(labels)[rows],
        classes + (not smoothed),
        target.sigma if smoothed else 0.0,
        identity,
        target.device,
    )


def _trained(
    stages: Stages,
    settings: Settings,
    chosen: QuerySet,
    labels: Tensor,
    classes: int,
    sigma: float,
    identity: dict[str, Any],
    device: torch.device,
) -> TrainedSurrogate:
    recipe = settings.recipe_for(len(labels))
    identity = {
        "what": "surrogate",
        "architecture": settings.architecture,
        "recipe": asdict(recipe),
        "sigma": sigma,
        "seed": settings.seed,
        **identity,
    }
    seed = int(keyed_generator(settings.seed, repr(sorted(identity.items()))).integers(2**31))

    def build() -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return ARCHITECTURES[settings.architecture](settings.data_set.shape, classes)

    def compute(done: Done) -> Arrays:
        checkpoint = stages.checkpoint(identity)
        split = Split(chosen.images, labels)
        module = train(
            build().to(device),
            split,
            sigma,
            recipe,
            seed=seed,
            progress=lambda epoch, loss: done(epoch + 1),
            checkpoint=checkpoint,
            resumed=done,
        )
        return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}

    kind = "smoothed surrogate" if sigma else "surrogate"
    title = f"{kind}: {chosen.name}, {'true labels' if identity['labels'] == 'true' else 'answers'}"
    state = stages.whole(title, identity, recipe.epochs, "epoch", compute)
    stages.checkpoint(identity).unlink(missing_ok=True)
    # Built anew even after training. Training leaves another memory layout behind, which rounds otherwise.
    module = build()
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
    alike = AlikeInAnyBatch(module.to(device))
    alike.eval().requires_grad_(False)
    return TrainedSurrogate(identity, chosen.name, alike, len(labels))


def predictions(stages: Stages, surrogate: TrainedSurrogate, queries: QuerySet) -> NDArray[np.int64]:
    """A surrogate's classes (M,) for the images of a query set. Class K, after the target's last, is abstention."""
    device = next(surrogate.module.parameters()).device

    @torch.inference_mode()
    def compute(positions: list[int], tick: Tick) -> Arrays:
        found: list[Tensor] = []
        for images in take(queries.images, positions).split(BATCH):
            found.append(surrogate.module(images.to(device)).argmax(1).cpu())
            tick()
        return {"classes": torch.cat(found).numpy()}

    identity = {"what": "predictions", "surrogate": surrogate.identity, "of": queries.source}
    title = f"surrogate of {surrogate.queries} on the {queries.name} images"
    return stages.sharded(title, identity, queries.indices, SHARD, compute)["classes"]


def smoothed_predictions(
    stages: Stages, settings: Settings, surrogate: TrainedSurrogate, queries: QuerySet, positions: Sequence[int]
) -> NDArray[np.int64]:
    """A smoothed surrogate's own PREDICT at the queries' n, on some images of a query set.

    Args:
        positions: of those images in the query set (P,).

    Returns:
        Answers (P,), ABSTAIN = -1.
    """
    sigma = float(surrogate.identity["sigma"])
    own = SmoothedClassifier(
        surrogate.module.module,
        sigma,
        settings.data_set.num_classes,
        name=f"surrogate of {settings.target}",
        device=next(surrogate.module.parameters()).device,
    )
    identity = {"what": "smoothed predictions", "surrogate": surrogate.identity, "of": queries.source}

    def compute(chosen: list[int], tick: Tick) -> Arrays:
        where = [positions[i] for i in chosen]
        images, indices = take(queries.images, where), [queries.indices[i] for i in where]
        return {"answers": own.predict(images, settings.query_samples, settings.alpha, settings.seed, indices=indices)}

    shard = max(1, SHARD_SAMPLES // settings.query_samples)
    title = f"smoothed surrogate of {surrogate.queries} on the {queries.name} images"
    return stages.sharded(title, identity, [queries.indices[i] for i in positions], shard, compute)["answers"]
