"""Adversarial images of the experiment's attacks, and what a surrogate says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks import Meter
from benchmark.cell import Cell
from benchmark.key import CEILING
from benchmark.running.access_factory import grant
from benchmark.running.attack_call import call_attack
from benchmark.running.evaluation import Sent, enforce, take
from benchmark.seed_paper.queries import QuerySet
from benchmark.seed_paper.settings import Settings
from benchmark.seed_paper.stages import Arrays, Stages, Tick
from benchmark.seed_paper.trained_surrogate import TrainedSurrogate
from targets import SmoothedClassifier
from targets.noise import Streams

SHARD = {"none": 100, "transfer": 50, "white-box": 10, "score": 1, "decision": 1, "hybrid": 50}
"""Images a shard, by the attack's access. A shard takes well under a minute on two cores."""

CONFIDENCE = 0.95
"""p(abstain) that Tabacof–Valle must reach on the surrogate (paper)."""


@dataclass(frozen=True)
class AbstentionScores:
    """A surrogate's output for its abstention class.

    Attributes:
        probability: p(abstain) (N,), in [0, 1].
        largest: whether abstention is its largest class (N,).
    """

    probability: NDArray[np.float64]
    largest: NDArray[np.bool_]

    def meets(self, attack: str) -> NDArray[np.bool_]:
        """Whether each image meets the attack's condition (N,)."""
        return self.probability >= CONFIDENCE if attack == "tv-transfer" else self.largest


@dataclass(frozen=True)
class Attacked:
    """An attack's images.

    Attributes:
        attack: registered name.
        queries: name of its surrogate's query set; None for an attack without a surrogate.
        identity: every setting that shaped it, JSON-able.
        sent: what is sent after the budget rule, and the norms of what the attack returned.
        returned: what the attack returned (N, C, H, W).
        before: the surrogate's scores for the originals; None without a surrogate, or one that has no abstention class.
        after: its scores for what the attack returned.
    """

    attack: str
    queries: str | None
    identity: dict[str, Any]
    sent: Sent
    returned: Tensor
    before: AbstentionScores | None
    after: AbstentionScores | None


def attacked(
    stages: Stages,
    settings: Settings,
    target: SmoothedClassifier,
    name: str,
    images: QuerySet,
    surrogate: TrainedSurrogate | None,
) -> Attacked:
    """Run an attack on labelled images.

    Args:
        name: the attack's registered name.
        surrogate: handed to a transfer attack when it asks for one; None for other attacks.
    """
    if images.labels is None:
        raise ValueError(f"the {images.name} images have no true labels")
    originals, labels = images.images, images.labels
    attack = settings.attack(name)
    suite = settings.suite()
    shaping = Cell(suite, target, name, attack, settings.epsilon, ()).settings()
    for unused in ("images", "description", *CEILING):
        del shaping[unused]
    shaping["parameters"] = settings.used_parameters(name)
    identity = {"what": "adversarial", "surrogate": surrogate and surrogate.identity, **shaping}

    def compute(positions: list[int], tick: Tick) -> Arrays:
        batch = take(originals, positions).to(target.device)
        indices = tuple(images.indices[i] for i in positions)
        cell = Cell(suite, target, name, attack, settings.epsilon, indices)
        access = grant(cell, Meter(len(batch), tick=tick), _Handed(surrogate))
        streams = Streams((settings.seed, target.name, "attack", name, repr(settings.epsilon)), indices)
        wanted = take(labels, positions).to(target.device)
        found = call_attack(attack, access, batch, wanted, settings.epsilon, streams)
        enforce(batch, found, settings.epsilon)  # refuses what is no batch of images before it is stored
        return {"images": found.detach().cpu().numpy().astype(np.float32)}

    title = f"attack: {name}" + (f", {surrogate.queries} queries" if surrogate else "")
    shard = SHARD[attack.access.kind]
    found = torch.from_numpy(stages.sharded(title, identity, images.indices, shard, compute)["images"])
    return Attacked(
        attack=name,
        queries=None if surrogate is None else surrogate.queries,
        identity=identity,
        sent=enforce(originals, found, settings.epsilon),
        returned=found,
        before=_scores(surrogate, originals, target.num_classes),
        after=_scores(surrogate, found, target.num_classes),
    )


@dataclass(frozen=True)
class _Handed:
    """Hands a transfer attack the surrogate that Table 1 measures, so that it trains none of its own."""

    surrogate: TrainedSurrogate | None

    def of_answers(self, *recipe: object) -> nn.Module:
        """The surrogate, whatever the recipe."""
        if self.surrogate is None:
            raise ValueError("an attack asked for a surrogate that the experiment does not give it")
        return self.surrogate.module.module

    def of_same_data(self, *recipe: object) -> nn.Module:
        """Refused: the paper has no such surrogate."""
        raise ValueError("the experiment has no surrogate of the target's training set")


@torch.inference_mode()
def _scores(surrogate: TrainedSurrogate | None, images: Tensor, classes: int) -> AbstentionScores | None:
    if surrogate is None:
        return None
    device = next(surrogate.module.parameters()).device
    parts = [surrogate.module(part.to(device)).double().cpu() for part in images.split(1000)]
    logits = torch.cat(parts)
    if logits.shape[1] == classes:  # a smoothed surrogate, which has no class for abstention
        return None
    return AbstentionScores(logits.softmax(1)[:, classes].numpy(), (logits.argmax(1) == classes).numpy())
