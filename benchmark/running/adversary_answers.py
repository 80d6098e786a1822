"""A target's answers to the adversary's own images: what a surrogate of answers is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.key import PROTOCOL
from benchmark.running.resumable import Arrays, Report, computed_once, silent
from leaderboard import Store
from targets import DATA, SmoothedClassifier
from targets.data.digest import content

PURPOSE = "adversary"
"""Keys the noise of these answers."""

SHARD = 250
"""Images whose answers are stored together: a minute's work on two cores at n = 1,000."""


@dataclass(frozen=True)
class AdversaryAnswers:
    """PREDICT's answers to the adversary's images, each asked once and then stored.

    Attributes:
        n, alpha: PREDICT's.
        seed: keys the noise.
        report: is told how many images are answered.
    """

    store: Store
    target: SmoothedClassifier
    n: int
    alpha: float
    seed: int
    report: Report = silent

    @cached_property
    def images(self) -> Tensor:
        """The adversary's images (M, C, H, W). Nobody may change them in place: hand out copies."""
        return DATA[self.target.data].split("adversary").images

    def labels(self) -> NDArray[np.int64]:
        """The answers (M,), ABSTAIN = -1. They are stored a shard at a time: on large images they take an hour."""
        total = len(self.images)
        return np.concatenate([self._shard(range(i, min(i + SHARD, total))) for i in range(0, total, SHARD)])

    def _shard(self, shard: range) -> NDArray[np.int64]:
        settings = {
            "protocol": PROTOCOL,
            "what": "answers",
            **self.target.identity,
            **content(self.target.data, "adversary"),
            "purpose": PURPOSE,
            "n": self.n,
            "alpha": self.alpha,
            "seed": self.seed,
            "images": [shard.start, shard.stop],
        }

        def compute(part: range) -> Arrays:
            rows = shard[part.start : part.stop]
            images = self.images[rows.start : rows.stop]
            answers = self.target.predict(images, self.n, self.alpha, self.seed, purpose=PURPOSE, indices=list(rows))
            return {"answers": answers}

        def report(done: int) -> None:
            self.report("answers to the adversary", "images", shard.start + done, len(self.images))

        return computed_once(self.store, settings, len(shard), compute, report)["answers"]
