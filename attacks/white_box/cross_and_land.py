"""Cross the smoothed decision boundary, then land on the tie."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from attacks.access import Access, WhiteBox
from attacks.base import Attack, register
from attacks.search.crossing import Crossing
from attacks.search.estimates import probabilities
from attacks.search.geometry import per_image
from attacks.search.landing import Landing, Segments
from attacks.search.probit_gap import probit_gap
from attacks.search.problem import Problem, Search
from attacks.search.reach import within_reach
from targets.noise import Antithetic, Streams

CLOSE = 0.4
"""Probit gap at the original below which the class that leads is decided on four times the samples."""


@register("cross-and-land")
class CrossAndLand(Attack):
    """Gradient descent across the smoothed decision boundary, then a line search back to the tie.

    The smoothed classifier's probabilities are continuous. So between an image and any point across the boundary lies
    a tie, at which PREDICT abstains. Crossing takes gradients but need not be exact; landing on the tie is a search on
    a line, which forward samples alone can do. Where the ceiling, by the samples at the original, rules abstention
    out, nothing more is spent; and the search for an image ends once it is across.

    Attributes:
        steps, samples, step_size, momentum, overshoot: see :class:`attacks.search.crossing.Crossing`.
        clean_samples: noise samples at the original image, which decide the class that leads and the ceiling.
        landing_rounds: looks on the line, see :class:`attacks.search.landing.Landing`.
        landing_share: noise samples of each look, and of one at the end of the line, as a share of PREDICT's n: the
            band of ties narrows as n grows.
        antithetic: whether search and landing draw their noise in pairs, see :class:`targets.noise.Antithetic`.
    """

    access: ClassVar[type[Access]] = WhiteBox
    version: ClassVar[int] = 2
    later: ClassVar[tuple[str, ...]] = ("antithetic",)
    steps: int = 16
    samples: int = 32
    step_size: float = 0.35
    momentum: float = 0.75
    overshoot: float = 0.3
    clean_samples: int = 500
    landing_rounds: int = 4
    landing_share: float = 0.25
    antithetic: bool = False

    def __call__(self, model: WhiteBox, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        independent = probabilities(model, generator)
        p = independent(images, list(range(len(images))), self.clean_samples)
        rows = within_reach(model, (p * self.clean_samples).round(), epsilon)
        # If the runner-up were taken for the leader, the search would move away from the tie.
        close = [row for row in rows if float(probit_gap(p, p.argmax(1))[row]) < CLOSE]
        p[close] = (p[close] + 3 * independent(images[close], close, 3 * self.clean_samples)) / 4
        home, rival = p.topk(2, dim=1).indices.unbind(1)
        samples = max(1, round(self.landing_share * model.n))
        streams = Antithetic(generator) if self.antithetic else generator
        estimates = probabilities(model, streams)

        def gaps(points: Tensor, chosen: list[int]) -> Tensor:
            """Estimates (N,) of the probit gap at points (N, C, H, W), infinity where not ``chosen``."""
            gap = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)
            gap[chosen] = probit_gap(estimates(points[chosen], chosen, samples), home[chosen]).double()
            return gap

        search, problem = self.search(), Problem(model, images, home, epsilon, streams)
        crossed = search(problem, rows)
        gap = gaps(crossed, rows)
        # With several rivals the search may waver between them. Where it fell short, it aims at the runner-up.
        short = [row for row in rows if float(gap[row]) > 0]
        aimed = search(problem, short, rival)
        aimed_gap = gaps(aimed, short)
        crossed = torch.where(per_image(aimed_gap < gap), aimed, crossed)
        landing = Landing(estimates, samples, self.landing_rounds, beyond=self.beyond_tie())
        return landing(Segments(images, crossed, home, probit_gap(p, home), torch.minimum(gap, aimed_gap)))

    def beyond_tie(self) -> float:
        """Probit gap beyond the tie at which the attack lands, where its search got so far."""
        return 0.0

    def search(self) -> Search:
        """The search for images across the boundary, by the attack's fields."""
        return Crossing(self.steps, self.samples, self.step_size, self.momentum, self.overshoot)
