"""The adversary's images, and the black box's answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.running.evaluation import take
from benchmark.seed_paper.settings import PER_IMAGE, Settings
from benchmark.seed_paper.stages import SHARD_SAMPLES, Arrays, Stages, Tick
from targets import DATA, SmoothedClassifier
from targets.noise import keyed_generator

HELD_OUT = 0.1
"""Share of the queried images that are held out of a surrogate's training, at random (the paper's 90/10 split)."""


@dataclass(frozen=True)
class QuerySet:
    """Images that the adversary shows to the black box.

    Attributes:
        name: "test", "train", "noise" or "unrelated".
        source: where the images come from, in words. It is part of every key.
        images: (M, C, H, W) in [0, 1].
        indices: their indices in the source (M,).
        labels: true labels (M,); None for images of none of the target's classes.
    """

    name: str
    source: str
    images: Tensor
    indices: tuple[int, ...]
    labels: Tensor | None = None

    def identity(self) -> dict[str, Any]:
        """Identifies these images in a key."""
        return {"queries": self.source, "count": len(self.indices)}

    def held_out(self, seed: int) -> NDArray[np.bool_]:
        """Which images (M,) no surrogate is trained on: a tenth of them at random, at least one."""
        order = keyed_generator(seed, "held out", self.source).permutation(len(self.indices))
        mask = np.zeros(len(order), dtype=bool)
        mask[order[: max(1, round(HELD_OUT * len(order)))]] = True
        return mask


def query_set(settings: Settings, name: str) -> QuerySet:
    """One of the four query sets of :data:`benchmark.seed_paper.settings.PER_IMAGE`.

    Raises:
        InputError: the data it needs is not found.
    """
    data = settings.data_set
    if name in ("test", "train"):
        split = data.split("evaluation" if name == "test" else "train")
        indices = settings.queried(name, len(split.images))
        source = f"{data.name} {name} images"
        return QuerySet(name, source, take(split.images, indices), tuple(indices), take(split.labels, indices))
    if name == "noise":
        count = PER_IMAGE[name] * settings.images
        streams = [keyed_generator(settings.seed, "uniform noise", i) for i in range(count)]
        images = torch.from_numpy(np.stack([stream.random(data.shape, np.float32) for stream in streams]))
        return QuerySet(name, "uniform noise", images, tuple(range(count)))
    unrelated = DATA[settings.unrelated]
    everything = torch.cat([unrelated.split(part).images for part in ("train", "adversary", "evaluation")])
    indices = settings.queried(name, len(everything))
    return QuerySet(name, settings.unrelated, resized(take(everything, indices), data.shape), tuple(indices))


def resized(images: Tensor, shape: Sequence[int]) -> Tensor:
    """Images (N, 1 or C, h, w) as (N, C, H, W): bilinear, a single channel repeated."""
    images = functional.interpolate(images, size=tuple(shape[1:]), mode="bilinear", align_corners=False)
    return images.expand(-1, shape[0], -1, -1).contiguous().clamp(0, 1)


def answers(stages: Stages, target: SmoothedClassifier, queries: QuerySet, settings: Settings) -> NDArray[np.int64]:
    """PREDICT's answers (M,) to a query set at the n of the queries, ABSTAIN = -1."""
    n = settings.query_samples
    identity = {
        "what": "answers",
        **target.identity,
        "n": n,
        "alpha": settings.alpha,
        "seed": settings.seed,
        "queries": queries.source,
    }

    def compute(positions: list[int], tick: Tick) -> Arrays:
        found = target.predict(
            take(queries.images, positions),
            n,
            settings.alpha,
            settings.seed,
            purpose=f"reproduce query {queries.source}",
            indices=[queries.indices[i] for i in positions],
        )
        return {"answers": found}

    shard = max(1, SHARD_SAMPLES // n)
    return stages.sharded(f"queries: {queries.name}", identity, queries.indices, shard, compute)["answers"]
