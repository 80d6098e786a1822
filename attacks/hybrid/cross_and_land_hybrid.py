"""A surrogate's direction, then landing with a handful of the target's own labels."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from attacks.access import Hybrid, WhiteBox
from attacks.base import Attack, register
from attacks.search.crossing import Crossing
from attacks.search.estimates import norms
from attacks.search.landing import land, land_by_labels, probit_gap
from attacks.transfer.cross_and_land_transfer import ensemble
from attacks.white_box.cross_and_land import probabilities
from targets.noise import Streams
from targets.smoothing import ABSTAIN


@register("cross-and-land-hybrid")
class CrossAndLandHybrid(Attack):
    """Cross on surrogates with all of epsilon, then bisect the way back with the target's own labels.

    What transfers badly is where the tie lies; the direction transfers well. So the search goes past the surrogates'
    tie to the end of the budget, and the target's answers find its own tie on the segment: the first question is put
    where the surrogates tie, and most images need one or two more. Two answers ABSTAIN at one point end it. Where
    the target gives its first answer even at the end, the surrogates' way to one of the next classes may still cross,
    and a single label tells.

    Attributes:
        rivals: how many of the surrogates' next classes are made for in turn, where going away from the leader failed.
        queries: most label queries an image, the one or two at the original included.
    """

    access: ClassVar[type[Hybrid]] = Hybrid
    version: ClassVar[int] = 3
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
    rivals: int = 2
    queries: int = 15

    def __call__(self, model: Hybrid, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        adversarial = images.clone()
        asked = np.zeros(len(images), dtype=np.int64)

        def left(row: int) -> int:
            return int(min(self.queries - asked[row], model.queries_left(row)))

        def predict(rows: list[int], points: Tensor, chosen: list[int]) -> Tensor:
            """The target's labels or ABSTAIN for points of ``rows[chosen]``."""
            images = [rows[position] for position in chosen]
            asked[images] += 1
            return model.predict(points, images)

        home = torch.full((len(images),), ABSTAIN, dtype=torch.int64, device=images.device)
        # Where the target abstains as it is there is nothing to do but to stay; once may be luck.
        for _ in range(2):
            unknown = [row for row in range(len(images)) if int(home[row]) == ABSTAIN and left(row) >= 1]
            home[unknown] = predict(unknown, images[unknown], list(range(len(unknown)))).to(images.device)
        rows = [row for row in range(len(images)) if int(home[row]) != ABSTAIN]
        if not rows:
            return adversarial

        surrogates = self.surrogates(model, len(images))
        crossing = Crossing(self.steps, self.samples, self.step_size, self.momentum, overshoot=float("inf"))
        far = crossing(surrogates, images, home, epsilon, generator, rows)

        estimates = probabilities(surrogates, generator)
        p = torch.full((len(images), model.num_classes), 1 / model.num_classes, device=images.device)
        p[rows] = estimates(images[rows], rows, self.landing_samples).to(p)
        leader = home.clamp_min(0)  # any class where the target only abstains: those images are left alone
        tie = land(estimates, images, far, leader, probit_gap(p, leader), self.landing_samples, self.landing_rounds)
        start = norms(tie - images) / norms(far - images).clamp_min(1e-12)

        rivals = p.scatter(1, leader[:, None], 0.0).argsort(dim=1, descending=True, stable=True).unbind(1)
        for rival in (None, *rivals[: min(self.rivals, model.num_classes - 1)]):
            if rival is not None:
                rows = [row for row in rows if left(row) >= 1]
                far = crossing(surrogates, images, home, epsilon, generator, rows, rival)
                start = torch.ones_like(start)
            landed, crossed = land_by_labels(
                partial(predict, rows),
                images[rows],
                far[rows],
                home[rows],
                [left(row) for row in rows],
                start[rows],
            )
            for row, image, across in zip(rows, landed, crossed, strict=True):
                if across or rival is None:
                    adversarial[row] = image
            rows = [row for row, across in zip(rows, crossed, strict=True) if not across]
        return adversarial

    def surrogates(self, model: Hybrid, images: int) -> WhiteBox:
        """What gives the directions."""
        return ensemble(self, model, images)
