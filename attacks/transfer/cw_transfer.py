"""The seed paper's first attack: Carlini–Wagner on a surrogate that has abstention as a class.

Covington, "Towards Inducing Abstention in Certified Defense (Maybe)".
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from attacks.access import Transfer
from attacks.base import Attack, register
from attacks.surrogate import SurrogateRecipe
from targets.noise import Streams


@register("cw-transfer")
class CWTransfer(Attack):
    """foolbox's Carlini–Wagner ℓ2 on a wide-ResNet surrogate with abstention as a class (Covington's first attack).

    Attributes:
        architecture, epochs, batch, learning_rate: see :class:`attacks.surrogate.SurrogateRecipe`.
        search_steps: foolbox's ``binary_search_steps``.
        steps, stepsize, confidence, initial_const: foolbox's.
    """

    access = Transfer
    version: ClassVar[int] = 2
    minimum_norm: ClassVar[bool] = True
    architecture: str = "wide-resnet-10"
    epochs: int = 20
    batch: int = 64
    learning_rate: float = 0.1
    search_steps: int = 3
    steps: int = 40
    stepsize: float = 0.05
    confidence: float = 0.0
    initial_const: float = 1.0

    def __call__(self, model: Transfer, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        from foolbox.attacks.carlini_wagner import L2CarliniWagnerAttack
        from foolbox.criteria import TargetedMisclassification
        from foolbox.models.pytorch import PyTorchModel

        if len(images) == 0:
            return images.clone()
        recipe = SurrogateRecipe(self.architecture, self.epochs, self.batch, self.learning_rate, abstention=True)
        surrogate = recipe.of(model)
        attack = L2CarliniWagnerAttack(
            binary_search_steps=self.search_steps,
            steps=self.steps,
            stepsize=self.stepsize,
            confidence=self.confidence,
            initial_const=self.initial_const,
            abort_early=False,  # else an image's result would depend on the rest of the batch
        )
        wanted = torch.full((len(images),), model.num_classes, device=images.device)
        wrapped = PyTorchModel(surrogate, bounds=(0, 1), device=images.device)
        _, adversarial, success = attack(wrapped, images, TargetedMisclassification(wanted), epsilons=None)
        # Where the attack fails, foolbox returns a black image; the original is sent instead.
        result: Tensor = torch.where(success[:, None, None, None], adversarial.detach(), images)
        return result
