"""Substitute models: trained on the target's answers to the adversary's images, or on the target's own training set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from attacks.access import Progress, Transfer, WhiteBox
from targets.data import Split
from targets.engine import Engine, padded
from targets.models import ARCHITECTURES, VERSIONS
from targets.precision import Bfloat16
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
        crop, flip: augmentation, see :class:`targets.training.Recipe`.
        member: tells substitutes of one recipe apart, which differ in their random start.
    """

    architecture: str
    epochs: int
    batch: int
    learning_rate: float
    abstention: bool
    sigma: float = 0.0
    crop: int = 0
    flip: bool = False
    member: int = 0

    def of(self, model: Transfer) -> nn.Module:
        """The substitute for this target, trained at the first call and remembered: logits alike in any batch."""
        return AlikeInAnyBatch(self.trained(model)).eval()

    def trained(self, model: Transfer) -> nn.Module:
        """The module itself, whose last bits depend on the batch."""
        return model.surrogate(self._recipe(), self._build(model), partial(self._fit_answers, model.num_classes))

    def trained_on_same_data(self, model: Transfer) -> nn.Module:
        """The module itself, trained as the target was: on its training set, with the true labels."""
        return model.same_data_surrogate(self._recipe(), self._build(model), self._fit)

    def _recipe(self) -> str:
        """All that shapes its weights beside target, data and seed."""
        version = VERSIONS.get(self.architecture)
        return repr(self) if version is None else f"{self!r}, code {version}"

    def _build(self, model: Transfer) -> Callable[[], nn.Module]:
        classes = model.num_classes + self.abstention
        return lambda: ARCHITECTURES[self.architecture](model.shape, classes)

    def _fit_answers(
        self,
        num_classes: int,
        module: nn.Module,
        images: Tensor,
        answers: Tensor,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        if self.abstention:
            labels = torch.where(answers == ABSTAIN, num_classes, answers)
        else:
            images, labels = images[answers != ABSTAIN], answers[answers != ABSTAIN]
        self._fit(module, Split(images, labels), seed, checkpoint, progress)

    def _fit(
        self, module: nn.Module, split: Split, seed: int, checkpoint: Path | None, progress: Progress | None = None
    ) -> None:
        recipe = Recipe(
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            crop=self.crop,
            flip=self.flip,
            bfloat16=True,
        )
        told = progress or (lambda done, total: None)
        train(
            module,
            split,
            self.sigma,
            recipe,
            seed=seed,
            progress=lambda epoch, loss: told(epoch + 1, self.epochs),
            checkpoint=checkpoint,
            resumed=lambda epochs: told(epochs, self.epochs),
        )


def smoothed(model: Transfer, substitutes: Sequence[nn.Module], images: int) -> WhiteBox:
    """The attacker's own smoothed classifier around several substitutes, in bfloat16.

    Its base classifier's probabilities are the geometric mean of theirs.

    Args:
        images: number of images in the attack's batch.
    """
    engines = [Engine(Bfloat16(substitute), model.num_classes) for substitute in substitutes]

    def logits(points: Tensor) -> Tensor:
        return torch.stack([engine.logits(points).log_softmax(1) for engine in engines]).mean(0)

    return model.smoothed(logits, images)


class AlikeInAnyBatch(nn.Module):
    """A module whose answers and gradients for a row are the same in small batches: those are padded."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.module(padded(images))
        return logits[: len(images)]
