"""Several surrogates that the attacker trains and smooths together, as an attack's fields describe them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from attacks.access import Transfer, WhiteBox
from attacks.surrogate import SurrogateRecipe
from targets.engine import Engine
from targets.precision import Bfloat16


class Described(Protocol):
    """An attack whose fields describe surrogates.

    Attributes:
        architecture, epochs, batch, learning_rate, crop, flip: see :class:`attacks.surrogate.SurrogateRecipe`.
        members: how many surrogates; they differ in their random start.
    """

    @property
    def architecture(self) -> str: ...
    @property
    def members(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def crop(self) -> int: ...
    @property
    def flip(self) -> bool: ...


def trained_on_answers(attack: Described, model: Transfer, images: int) -> WhiteBox:
    """White-box access to surrogates trained on the target's answers, smoothed together.

    Args:
        images: number of images in the attack's batch.
    """
    return smoothed(model, [recipe.trained(model) for recipe in _recipes(attack, model)], images)


def trained_on_same_data(attack: Described, model: Transfer, images: int) -> WhiteBox:
    """White-box access to surrogates trained on the target's training set with true labels, smoothed together.

    Args:
        images: number of images in the attack's batch.
    """
    return smoothed(model, [recipe.trained_on_same_data(model) for recipe in _recipes(attack, model)], images)


def smoothed(model: Transfer, surrogates: Sequence[nn.Module], images: int) -> WhiteBox:
    """White-box access to the smoothed classifier around several surrogates, in bfloat16.

    Its base classifier's probabilities are the geometric mean of theirs.

    Args:
        images: number of images in the attack's batch.
    """
    engines = [Engine(Bfloat16(surrogate), model.num_classes) for surrogate in surrogates]

    def logits(points: Tensor) -> Tensor:
        return torch.stack([engine.logits(points).log_softmax(1) for engine in engines]).mean(0)

    return model.smoothed(logits, images)


def _recipes(attack: Described, model: Transfer) -> list[SurrogateRecipe]:
    """How each is trained: with noise of the target's σ."""
    return [
        SurrogateRecipe(
            attack.architecture,
            epochs=attack.epochs,
            batch=attack.batch,
            learning_rate=attack.learning_rate,
            crop=attack.crop,
            flip=attack.flip,
            abstention=False,
            sigma=model.sigma,
            member=member,
        )
        for member in range(attack.members)
    ]
