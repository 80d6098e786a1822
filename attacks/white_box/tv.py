"""Tabacof–Valle on the smoothed classifier itself.

Tabacof & Valle 2016, "Exploring the Space of Adversarial Images", https://arxiv.org/abs/1510.05328.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from attacks.access import WhiteBox
from attacks.base import Attack, register
from attacks.search.estimates import soft_probabilities
from attacks.search.tabacof_valle import TabacofValle
from targets.abstention import log_abstention_probability
from targets.noise import Streams


@register("tv")
class TV(Attack):
    """Tabacof–Valle (2016) on the smoothed classifier: L-BFGS-B until P[PREDICT abstains] ≥ 0.95.

    That chance is an exact function of the smoothed probabilities, n and alpha. The probabilities are estimated on one
    fixed set of noise samples for each image, because L-BFGS needs the same value each time at the same point.

    Attributes:
        confidence, initial_const, search_steps, evaluations: see
            :class:`attacks.search.tabacof_valle.TabacofValle`.
        samples: noise samples for each image.
        temperature: of the softmax that estimates the probabilities.
    """

    access = WhiteBox
    version: ClassVar[int] = 2
    minimum_norm: ClassVar[bool] = True
    confidence: float = 0.95
    initial_const: float = 1.0
    search_steps: int = 2
    evaluations: int = 12
    samples: int = 100
    temperature: float = 1.0

    def __call__(self, model: WhiteBox, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        noise = model.noise(images, self.samples, generator)

        def log_p(points: Tensor, rows: Sequence[int]) -> Tensor:
            p = soft_probabilities(model.logits(points, noise[list(rows)], rows), self.temperature)
            return log_abstention_probability(p, model.n, model.alpha)

        search = TabacofValle(self.confidence, self.initial_const, self.search_steps, self.evaluations)
        return search(log_p, images, epsilon)
