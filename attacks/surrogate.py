"""A surrogate: how it is trained, on the target's answers or on its training set, and the name it is stored under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from attacks.access import Progress, Transfer
from targets.data import Split
from targets.engine.engine import padded
from targets.models import ARCHITECTURES, VERSIONS
from targets.smoothing import ABSTAIN
from targets.training import Recipe, train


@dataclass(frozen=True)
class SurrogateRecipe:
    """How a transfer attacker trains a surrogate.

    Attributes:
        architecture: a name in ``targets.models.ARCHITECTURES``.
        epochs, batch, learning_rate: of SGD with a one-cycle schedule.
        abstention: whether abstention is a class of its own, the last of K + 1, as in the seed paper. Without it the
            surrogate has K classes, and images on which the target abstained are left out of the training.
        sigma: standard deviation of the noise added in training, in [0, 1] pixel units.
        crop, flip: augmentation, see :class:`targets.training.Recipe`.
        member: number of the surrogate among those of one recipe, which differ in their random start.
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
        """The surrogate for this target, trained on its answers. An image's logits do not depend on the batch."""
        return AlikeInAnyBatch(self.trained(model)).eval()

    def trained(self, model: Transfer) -> nn.Module:
        """The same without padding of small batches: the last bits of an image's logits depend on the batch."""
        return model.surrogate(self.key, self._build(model), partial(self._fit_answers, model.num_classes))

    def trained_on_same_data(self, model: Transfer) -> nn.Module:
        """One trained on the target's own training set, with the true labels; without padding of small batches."""
        return model.same_data_surrogate(self.key, self._build(model), self._fit)

    @property
    def key(self) -> str:
        """All that shapes its weights beside target, data and seed: part of the name it is stored under.

        The text is written out, in the form of the first release. Let a field that is added later appear only where it
        is not its default: then the surrogates trained before are still found.
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


class AlikeInAnyBatch(nn.Module):
    """Pads small batches, so that a module's logits and gradients for an image do not depend on the batch."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        """The module's logits (N, K) for images (N, C, H, W)."""
        logits: Tensor = self.module(padded(images))
        return logits[: len(images)]
