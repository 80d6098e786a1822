"""The black box's answers to what is sent: Tables 2 to 4 are computed from these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.running.evaluation import take
from benchmark.seed_paper.adversarial import Attacked
from benchmark.seed_paper.settings import Settings
from benchmark.seed_paper.stages import SHARD_SAMPLES, Arrays, Stages, Tick
from targets import SmoothedClassifier


def evaluate(
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
    """PREDICT's answers to originals or to an attack's images, on noise that no earlier stage has used.

    Args:
        n: noise samples an image.
        images: what is sent, (N, C, H, W) in [0, 1].
        indices: the images' indices among the test images, which key the noise.
        attack: the attack that made them; None for the originals.
        again: evaluate the originals on the noise of the attacks' images: the control.

    Returns:
        Answers (N,), ABSTAIN = -1.
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
