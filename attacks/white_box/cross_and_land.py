"""Cross the smoothed decision boundary, then land on the tie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from attacks.access import Access, WhiteBox
from attacks.base import Attack, register
from attacks.search.crossing import Crossing
from attacks.search.estimates import per_image, vote_probabilities
from attacks.search.landing import Probabilities, land, probit_gap
from targets.ceiling import ceilings
from targets.noise import Streams

HOPELESS = 1e-3
"""Proven ceiling below which nothing is spent on an image."""

CLOSE = 0.4
"""Probit gap at the original below which three times as many samples more decide which class leads."""


class Search(Protocol):
    """Looks for images across the boundary."""

    def __call__(
        self,
        model: WhiteBox,
        images: Tensor,
        home: Tensor,
        epsilon: float,
        generator: Streams,
        rows: Sequence[int],
        rival: Tensor | None = None,
    ) -> Tensor:
        """Images (N, C, H, W) in the ball; those not in ``rows`` are left alone.

        Args:
            home: the classes to leave, (N,).
            rival: the classes to reach, (N,); any without.
        """


@register("cross-and-land")
class CrossAndLand(Attack):
    """Cross the smoothed boundary by gradient descent on the probit gap, then land on the tie on the way back.

    The smoothed classifier is continuous, so wherever an image can be pushed across the boundary it can be made to
    abstain on the way, and the way back is one-dimensional: the crossing may be crude and overshoot, and the landing
    spends cheap forward samples on a line. Images whose own ceiling, from the samples at the clean image, rules
    abstention out are left alone, and those across stop early.

    Attributes:
        steps, samples, step_size, momentum, overshoot: see :class:`attacks.search.crossing.Crossing`.
        clean_samples: noise samples at the original image, which decide what leads and what is hopeless.
        landing_rounds: looks on the line.
        landing_share: noise samples of each, and at the far end, as a share of PREDICT's n: the band of ties
            narrows as n grows.
    """

    access: ClassVar[type[Access]] = WhiteBox
    version: ClassVar[int] = 2
    steps: int = 16
    samples: int = 32
    step_size: float = 0.35
    momentum: float = 0.75
    overshoot: float = 0.3
    clean_samples: int = 500
    landing_rounds: int = 4
    landing_share: float = 0.25

    def __call__(self, model: WhiteBox, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        estimates = probabilities(model, generator)
        p = estimates(images, list(range(len(images))), self.clean_samples)
        rows = within_reach(model, p, self.clean_samples, epsilon)
        # Taken for the runner-up, the leader would be left by going away from the tie.
        close = [row for row in rows if float(probit_gap(p, p.argmax(1))[row]) < CLOSE]
        p[close] = (p[close] + 3 * estimates(images[close], close, 3 * self.clean_samples)) / 4
        home, rival = p.topk(2, dim=1).indices.unbind(1)
        samples = max(1, round(self.landing_share * model.n))

        def look(points: Tensor, chosen: list[int]) -> Tensor:
            gap = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)
            gap[chosen] = probit_gap(estimates(points[chosen], chosen, samples), home[chosen]).double()
            return gap

        search = self.search()
        crossed = search(model, images, home, epsilon, generator, rows)
        gap = look(crossed, rows)
        # Among several rivals the search wavers; where it fell short it goes for the runner-up.
        short = [row for row in rows if float(gap[row]) > 0]
        other = search(model, images, home, epsilon, generator, short, rival)
        again = look(other, short)
        crossed = torch.where(per_image(again < gap), other, crossed)
        end_gap = torch.minimum(gap, again)
        return land(
            estimates,
            images,
            crossed,
            home,
            probit_gap(p, home),
            samples,
            self.landing_rounds,
            end_gap,
            beyond=self.beyond_tie(),
        )

    def beyond_tie(self) -> float:
        """Probit gap beyond its classifier's tie at which this attack lands, where its search got so far."""
        return 0.0

    def search(self) -> Search:
        """How this attack looks for an image across the boundary, by its fields."""
        return Crossing(self.steps, self.samples, self.step_size, self.momentum, self.overshoot)


def probabilities(model: WhiteBox, generator: Streams) -> Probabilities:
    """Estimates of the class probabilities by vote frequencies, without gradients."""

    def estimate(points: Tensor, rows: list[int], samples: int) -> Tensor:
        with torch.no_grad():
            return vote_probabilities(model.logits(points, model.noise(points, samples, generator, rows), rows))

    return estimate


def within_reach(model: WhiteBox, p: Tensor, samples: int, epsilon: float) -> list[int]:
    """The images (rows of estimates (N, K) of ``samples`` votes) that could abstain within ``epsilon`` at all."""
    votes = (p * samples).round().long().cpu().numpy()
    return np.flatnonzero(ceilings(votes, epsilon, model.sigma, model.n, model.alpha) > HOPELESS).tolist()
