"""Carlini–Wagner on the smoothed classifier itself.

Carlini & Wagner 2017, "Towards Evaluating the Robustness of Neural Networks", https://arxiv.org/abs/1608.04644.
"""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor

from attacks.access import WhiteBox
from attacks.base import Attack, register
from attacks.search.carlini_wagner import CarliniWagner
from attacks.search.estimates import soft_probabilities, vote_probabilities
from targets.abstention import log_abstention_probability
from targets.noise import Streams


@register("cw")
class CW(Attack):
    """Carlini–Wagner ℓ2 (2017) on the smoothed classifier, with f = -log P[PREDICT abstains].

    That chance is an exact function of the smoothed probabilities, n and alpha. As in the seed paper, the smallest
    perturbation found is returned even where it exceeds the budget.

    Attributes:
        search_steps, steps, learning_rate, initial_const: see :class:`attacks.search.carlini_wagner.CarliniWagner`.
        samples: noise samples for each step.
        confirm_samples: noise samples that confirm a success.
        confidence: the chance to abstain that they must show.
        temperature: of the softmax whose gradients are followed.
    """

    access = WhiteBox
    minimum_norm: ClassVar[bool] = True
    search_steps: int = 2
    steps: int = 12
    samples: int = 64
    confirm_samples: int = 200
    confidence: float = 0.9
    learning_rate: float = 0.08
    initial_const: float = 1.0
    temperature: float = 0.5

    def __call__(self, model: WhiteBox, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        def abstains(adversarial: Tensor, samples: int, rows: list[int]) -> Tensor:
            noise = model.noise(adversarial, samples, generator, rows)
            p = vote_probabilities(model.logits(adversarial, noise, rows))
            return log_abstention_probability(p, model.n, model.alpha) > math.log(self.confidence)

        def loss(adversarial: Tensor) -> tuple[Tensor, Tensor]:
            logits = model.logits(adversarial, model.noise(images, self.samples, generator))
            p = soft_probabilities(logits, self.temperature)
            f = -log_abstention_probability(p, model.n, model.alpha)
            votes = vote_probabilities(logits.detach())
            success = log_abstention_probability(votes, model.n, model.alpha) > math.log(0.5)
            # The closest of many noisy successes is likely to be a lucky one, so fresh noise must confirm it.
            rows = success.nonzero()[:, 0].tolist()
            success[rows] = abstains(adversarial.detach()[rows], self.confirm_samples, rows)
            return f.float(), success

        search = CarliniWagner(self.search_steps, self.steps, self.learning_rate, self.initial_const)
        return search(loss, images)
