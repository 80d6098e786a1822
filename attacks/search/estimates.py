"""Estimates of the smoothed classifier's class probabilities, from logits under noise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from attacks.access import WhiteBox
from targets.noise import Streams

Probabilities = Callable[[Tensor, list[int], int], Tensor]
"""(points (B, C, H, W), their rows, noise samples) → estimates (B, K) of the class probabilities, all above 0."""


def soft_probabilities(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean softmax (N, K) of logits (N, S, K): a smooth approximation of the vote frequencies."""
    return (logits / temperature).softmax(-1).mean(1)


def vote_probabilities(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Vote frequencies (N, K) of logits (N, S, K), with the gradient of :func:`soft_probabilities`.

    The value is what PREDICT counts, plus one vote that is shared by softmax: so no probability is 0, and equal counts
    are told apart. The gradient of counted votes is zero almost everywhere, so that of the mean softmax is used in its
    place (a straight-through estimator).
    """
    samples, classes = logits.shape[1:]
    soft = soft_probabilities(logits, temperature)
    hard = one_hot(logits.argmax(-1), classes).to(soft.dtype).sum(1)
    value = (hard + soft.detach()) / (samples + 1)
    return value + soft - soft.detach()


def probabilities(model: WhiteBox, generator: Streams) -> Probabilities:
    """A function that estimates the class probabilities by vote frequencies, without gradients."""

    def estimate(points: Tensor, rows: list[int], samples: int) -> Tensor:
        with torch.no_grad():
            return vote_probabilities(model.logits(points, model.noise(points, samples, generator, rows), rows))

    return estimate
