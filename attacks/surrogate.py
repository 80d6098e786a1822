"""Substitute models: trained on the target's answers to the adversary's images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.access import Transfer
from targets.data import Split
from targets.models import ARCHITECTURES
from targets.smoothing import ABSTAIN
from targets.training import Recipe, train


@dataclass(frozen=True)
class Substitute:
    """How a transfer attacker trains a substitute model.

    Attributes:
        architecture: a name in ``targets.models.ARCHITECTURES``.
        epochs, batch, learning_rate: of SGD with a one-cycle schedule.
        abstention: whether abstention is a class of its own, the last of K + 1 (Covington); without, the images
            that the target abstained on are left out and the substitute has K classes.
        sigma: noise added in training.
    """

    architecture: str
    epochs: int
    batch: int
    learning_rate: float
    abstention: bool
    sigma: float = 0.0

    def of(self, model: Transfer) -> nn.Module:
        """The substitute for this target, trained at the first call and remembered."""
        return model.surrogate(repr(self), self._build(model), self._fit(model.num_classes))

    def _build(self, model: Transfer) -> Callable[[], nn.Module]:
        classes = model.num_classes + self.abstention
        return lambda: ARCHITECTURES[self.architecture](model.shape, classes)

    def _fit(self, num_classes: int) -> Callable[[nn.Module, Tensor, Tensor, int], None]:
        recipe = Recipe(epochs=self.epochs, batch=self.batch, learning_rate=self.learning_rate)

        def fit(module: nn.Module, images: Tensor, answers: Tensor, seed: int) -> None:
            if self.abstention:
                labels = torch.where(answers == ABSTAIN, num_classes, answers)
            else:
                images, labels = images[answers != ABSTAIN], answers[answers != ABSTAIN]
            train(module, Split(images, labels), self.sigma, recipe, seed=seed)

        return fit
