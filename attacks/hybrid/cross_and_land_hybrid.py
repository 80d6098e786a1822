"""Directions from surrogates, then landing with a few of the target's labels."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from attacks.access import Hybrid, WhiteBox
from attacks.base import Attack, register
from attacks.ensemble import trained_on_answers
from attacks.search.bisection import land_by_labels
from attacks.search.crossing import Crossing
from attacks.search.estimates import probabilities
from attacks.search.geometry import norms
from attacks.search.landing import Landing, Segments
from attacks.search.probit_gap import probit_gap
from attacks.search.problem import Problem
from targets.noise import Streams
from targets.smoothing import ABSTAIN


@register("cross-and-land-hybrid")
class CrossAndLandHybrid(Attack):
    """Crosses the boundary of surrogates trained on the target's answers, then bisects back with a few labels.

    From a surrogate, the direction across the boundary transfers well, and the place of the tie badly. So the search
    goes past the surrogates' tie to the end of the budget, and the target's labels find its own tie on the way back.
    The first query is where the surrogates tie; most images need one or two more. The search ends at a point where
    the answer is ABSTAIN, and ABSTAIN again when it is asked once more (more often: ``confirm``). Where the target's
    label is the same even at the end of the way, ways to the surrogates' next classes are tried; a single label shows
    whether one crosses.

    Attributes:
        architecture, epochs, batch, learning_rate, crop, flip: see :class:`attacks.surrogate.SurrogateRecipe`.
        members: number of surrogates.
        steps, samples, step_size, momentum: see :class:`attacks.search.crossing.Crossing`.
        landing_rounds, landing_samples: ``rounds`` and ``samples`` of :class:`attacks.search.landing.Landing` on the
            surrogates, which gives the place of the first query.
        rivals: most of the surrogates' next classes that are tried.
        queries: most label queries for each image, those at the original included.
        confirm: how many more answers at a point, or at the original, must be ABSTAIN before the search ends there. The
            first may be luck, at the edge of the band of ties.
    """

    access: ClassVar[type[Hybrid]] = Hybrid
    version: ClassVar[int] = 3
    later: ClassVar[tuple[str, ...]] = ("confirm",)
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
    confirm: int = 1

    def __call__(self, model: Hybrid, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        adversarial = images.clone()
        target = _Labels(model, self.queries, len(images))
        home = target.originals(images, self.confirm)
        # An image on which the target abstains already stays as it is.
        rows = [row for row in range(len(images)) if int(home[row]) != ABSTAIN]
        if not rows:
            return adversarial

        surrogates = self.surrogates(model, len(images))
        crossing = Crossing(self.steps, self.samples, self.step_size, self.momentum, overshoot=float("inf"))
        problem = Problem(surrogates, images, home, epsilon, generator)
        far = crossing(problem, rows)

        estimates = probabilities(surrogates, generator)
        p = torch.full((len(images), model.num_classes), 1 / model.num_classes, device=images.device)
        p[rows] = estimates(images[rows], rows, self.landing_samples).to(p)
        leader = home.clamp_min(0)  # where the target abstained, any class: those images are left alone
        landing = Landing(estimates, self.landing_samples, self.landing_rounds)
        tie = landing(Segments(images, far, leader, probit_gap(p, leader)))
        start = norms(tie - images) / norms(far - images).clamp_min(1e-12)

        rivals = p.scatter(1, leader[:, None], 0.0).argsort(dim=1, descending=True, stable=True).unbind(1)
        for rival in (None, *rivals[: min(self.rivals, model.num_classes - 1)]):
            if rival is not None:
                rows = [row for row in rows if target.left(row) >= 1]
                far = crossing(problem, rows, rival)
                start = torch.ones_like(start)
            landed, crossed = land_by_labels(
                partial(target.predict, rows),
                images[rows],
                far[rows],
                home[rows],
                [target.left(row) for row in rows],
                start[rows],
                self.confirm,
            )
            for row, image, across in zip(rows, landed, crossed, strict=True):
                if across or rival is None:
                    adversarial[row] = image
            rows = [row for row, across in zip(rows, crossed, strict=True) if not across]
        return adversarial

    def surrogates(self, model: Hybrid, images: int) -> WhiteBox:
        """White-box access to what gives the directions."""
        return trained_on_answers(self, model, images)


class _Labels:
    """The target's labels, with at most ``queries`` for each image and as many as its budget allows."""

    def __init__(self, model: Hybrid, queries: int, images: int) -> None:
        self._model = model
        self._left = np.full(images, queries, dtype=np.int64)

    def left(self, row: int) -> int:
        """Queries left for an image."""
        return int(min(self._left[row], self._model.queries_left(row)))

    def predict(self, rows: list[int], points: Tensor, chosen: list[int]) -> Tensor:
        """Labels or ABSTAIN (B,) at points (B, C, H, W), which belong to ``chosen`` (B,) of ``rows``."""
        images = [rows[position] for position in chosen]
        self._left[images] -= 1
        return self._model.predict(points, images)

    def originals(self, images: Tensor, confirm: int) -> Tensor:
        """The label of each original (N,); ABSTAIN only where ``confirm`` more answers are, for one may be luck."""
        home = torch.full((len(images),), ABSTAIN, dtype=torch.int64, device=images.device)
        for _ in range(1 + confirm):
            unknown = [row for row in range(len(images)) if int(home[row]) == ABSTAIN and self.left(row) >= 1]
            home[unknown] = self.predict(unknown, images[unknown], list(range(len(unknown)))).to(images.device)
        return home
