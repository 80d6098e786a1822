"""A substitute's direction, then landing with a handful of the target's own labels."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from attacks.access import Hybrid
from attacks.base import Attack, register
from attacks.cross_and_land import probabilities
from attacks.cross_and_land_transfer import ensemble
from attacks.crossing import Crossing
from attacks.landing import land, land_by_labels, probit_gap
from attacks.smoothed import norms
from targets.noise import Streams
from targets.smoothing import ABSTAIN


@register("cross-and-land-hybrid")
class CrossAndLandHybrid(Attack):
    """Cross on substitutes with all of epsilon, then bisect the way back with the target's own labels.

    What transfers badly is where the tie lies; the direction transfers well. So the search goes past the substitutes'
    tie to the end of the budget, and the target's answers find its own tie on the segment: the first question is put
    where the substitutes tie, and most images need one or two more. The answer ABSTAIN ends it.

    Attributes:
        queries: most label queries an image, the one or two at the original included.
    """

    access: ClassVar[type[Hybrid]] = Hybrid
    version: ClassVar[int] = 2
    architecture: str = "small-cnn"
    members: int = 1
    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.05
    crop: int = 0
    flip: bool = False
    steps: int = 24
    samples: int = 32
    step_size: float = 0.35
    momentum: float = 0.75
    landing_rounds: int = 4
    landing_samples: int = 200
    queries: int = 15

    def __call__(self, model: Hybrid, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        adversarial = images.clone()
        home = torch.full((len(images),), ABSTAIN, dtype=torch.int64, device=images.device)
        # Where the target abstains as it is there is nothing to do but to stay; once may be luck.
        for _ in range(2):
            asked = [r for r in range(len(images)) if int(home[r]) == ABSTAIN and model.queries_left(r) >= 1]
            home[asked] = model.predict(images[asked], asked).to(images.device)
        rows = [row for row in range(len(images)) if int(home[row]) != ABSTAIN]
        if not rows:
            return adversarial
        substitutes = ensemble(self, model, len(images))
        crossing = Crossing(self.steps, self.samples, self.step_size, self.momentum, overshoot=float("inf"))
        far = crossing(substitutes, images, home, epsilon, generator, rows)

        estimates = probabilities(substitutes, generator)
        gap = torch.zeros(len(images), device=images.device)
        gap[rows] = probit_gap(estimates(images[rows], rows, self.landing_samples), home[rows]).float()
        tie = land(estimates, images, far, home, gap, self.landing_samples, self.landing_rounds)
        start = norms(tie - images) / norms(far - images).clamp_min(1e-12)

        def predict(points: Tensor, chosen: list[int]) -> Tensor:
            return model.predict(points, [rows[row] for row in chosen])

        queries = [int(min(self.queries - 2, model.queries_left(row))) for row in rows]
        landed, _ = land_by_labels(predict, images[rows], far[rows], home[rows], queries, start[rows])
        adversarial[rows] = landed
        return adversarial
