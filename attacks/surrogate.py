"""Surrogates: trained on the target's answers to the adversary's images, or on the target's own training set."""

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
class SurrogateRecipe:
    """How a transfer attacker trains a surrogate.

    Attributes:
        architecture: a name in ``targets.models.ARCHITECTURES``.
        epochs, batch, learning_rate: of SGD with a one-cycle schedule.
        abstention: whether abstention is a class of its own, the last of K + 1 (Covington); without, the images
            that the target abstained on are left out and the surrogate has K classes.
        sigma: noise added in training.
        crop, flip: augmentation, see :class:`targets.training.Recipe`.
        member: tells surrogates of one recipe apart, which differ in their random start.
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
        """The surrogate for this target, trained at the first call and remembered: logits alike in any batch."""
        return AlikeInAnyBatch(self.trained(model)).eval()

    def trained(self, model: Transfer) -> nn.Module:
        """The module itself, whose last bits depend on the batch."""
        return model.surrogate(self.key, self._build(model), partial(self._fit_answers, model.num_classes))

    def trained_on_same_data(self, model: Transfer) -> nn.Module:
        """The module itself, trained as the target was: on its training set, with the true labels."""
        return model.same_data_surrogate(self.key, self._build(model), self._fit)

    @property
    def key(self) -> str:
        """All that shapes its weights beside target, data and seed: part of the name it is stored under.

        Written out in the form of the first release, so that a field which is added here later orphans no surrogate:
        let it appear only where it is not its default.
        """
        fields = (
            f"architecture={self.architecture!r}, epochs={self.epochs!r}, batch={self.batch!r}, "
            f"learning_rate={self.learning_rate!r}, abstention={self.abstention!r}, sigma={self.sigma!r}, "
            f"crop={self.crop!r}, flip={self.flip!r}, member={self.member!r}"
        )
        version = VERSIONS.get(self.architecture)
        return f"Substitute({fields})" if version is None else f"Substitute({fields}), code {version}"

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


def smoothed(model: Transfer, surrogates: Sequence[nn.Module], images: int) -> WhiteBox:
    """The attacker's own smoothed classifier around several surrogates, in bfloat16.

    Its base classifier's probabilities are the geometric mean of theirs.

    Args:
        images: number of images in the attack's batch.
    """
    engines = [Engine(Bfloat16(surrogate), model.num_classes) for surrogate in surrogates]

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
