"""Adversarial images of the experiment's attacks, and what the black box answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks import Meter
from benchmark.cell import CEILING, Cell
from benchmark.running.attempt import attempt
from benchmark.running.evaluation import Sent, enforce, take
from benchmark.running.grant import grant
from benchmark.seed_paper.queries import QuerySet
from benchmark.seed_paper.settings import Settings
from benchmark.seed_paper.stages import SHARD_SAMPLES, Arrays, Stages, Tick
from benchmark.seed_paper.surrogates import Surrogate
from targets import SmoothedClassifier
from targets.noise import Streams

SHARD = {"none": 100, "transfer": 50, "white-box": 10, "score": 1, "decision": 1, "hybrid": 50}
"""Images a shard, by the attack's access: well under a minute on two cores."""

CONFIDENCE = 0.95
"""p(abstain) that Tabacof–Valle must reach on the surrogate (paper)."""


@dataclass(frozen=True)
class Belief:
    """What a surrogate says of abstention.

    Attributes:
        confidence: p(abstain) (N,).
        largest: whether that is its largest class (N,).
    """

    confidence: NDArray[np.float64]
    largest: NDArray[np.bool_]

    def meets(self, attack: str) -> NDArray[np.bool_]:
        """Whether each image meets the attack's condition (N,)."""
        return self.confidence >= CONFIDENCE if attack == "tv-transfer" else self.largest


@dataclass(frozen=True)
class Attacked:
    """An attack's images.

    Attributes:
        attack: registered name.
        queries: name of its surrogate's query set; None where it needs none.
        identity: every setting that shaped it, JSON-able.
        sent: what is sent after the budget rule, and the norms of what the attack returned.
        returned: what the attack returned (N, C, H, W).
        before: the surrogate's p(abstain) at the originals (N,), and whether that is its largest; None without a
            surrogate, or one without a class for abstention.
        after: the same at what was returned.
    """

    attack: str
    queries: str | None
    identity: dict[str, Any]
    sent: Sent
    returned: Tensor
    before: Belief | None
    after: Belief | None


def attacked(
    stages: Stages,
    settings: Settings,
    target: SmoothedClassifier,
    name: str,
    images: QuerySet,
    surrogate: Surrogate | None,
) -> Attacked:
    """Adversarial images for ``images``, which have labels.

    Args:
        surrogate: what a transfer attack is handed as the surrogate it asks for.
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
        found = attempt(attack, access, batch, wanted, settings.epsilon, streams)
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
        before=_belief(surrogate, originals, target.num_classes),
        after=_belief(surrogate, found, target.num_classes),
    )


@dataclass(frozen=True)
class _Handed:
    """In place of training one of its own, a transfer attack is handed the surrogate that Table 1 measures."""

    surrogate: Surrogate | None

    def of_answers(self, *recipe: object) -> nn.Module:
        """That surrogate, whatever is asked for."""
        if self.surrogate is None:
            raise ValueError("an attack asked for a surrogate that the experiment does not give it")
        return self.surrogate.module.module

    def of_same_data(self, *recipe: object) -> nn.Module:
        """None: the experiment is the paper's."""
        raise ValueError("the experiment has no surrogate of the target's training set")


@torch.inference_mode()
def _belief(surrogate: Surrogate | None, images: Tensor, classes: int) -> Belief | None:
    if surrogate is None:
        return None
    device = next(surrogate.module.parameters()).device
    parts = [surrogate.module(part.to(device)).double().cpu() for part in images.split(1000)]
    logits = torch.cat(parts)
    if logits.shape[1] == classes:  # a smoothed surrogate, which has no class for abstention
        return None
    return Belief(logits.softmax(1)[:, classes].numpy(), (logits.argmax(1) == classes).numpy())


def outcomes(
    stages: Stages,
    settings: Settings,
    target: SmoothedClassifier,
    n: int,
    images: Tensor,
    indices: Sequence[int],
    attack: Attacked | None = None,
    *,
    again: bool = False,
) -> NDArray[np.int64]:
    """PREDICT's answers (N,), ABSTAIN = -1, on noise that nothing before has seen.

    Args:
        images: what is sent, (N, C, H, W).
        indices: the images' indices among the test images, which key the noise.
        attack: whose images they are; None for the originals.
        again: the originals on the noise that attacks' images get.
    """
    purpose = "clean" if attack is None and not again else "evaluation"
    identity = {
        "what": "outcomes",
        **target.identity,
        "purpose": purpose,
        "n": n,
        "alpha": settings.alpha,
        "seed": settings.seed,
        "of": attack and attack.identity,
    }

    def compute(positions: list[int], tick: Tick) -> Arrays:
        chosen = take(images, positions)
        where = [indices[i] for i in positions]
        found = target.predict(chosen, n, settings.alpha, settings.seed, purpose=purpose, indices=where)
        return {"answers": found}

    of = (
        ("originals, again" if again else "originals")
        if attack is None
        else attack.attack + (f", {attack.queries} queries" if attack.queries else "")
    )
    shard = max(1, SHARD_SAMPLES // n)
    return stages.sharded(f"evaluation, n = {n:,}: {of}", identity, indices, shard, compute)["answers"]
