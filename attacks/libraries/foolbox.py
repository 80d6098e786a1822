"""Attacks of foolbox on abstention.

Rauber et al. 2020, "Foolbox Native: Fast adversarial attacks to benchmark the robustness of machine learning models in
PyTorch, TensorFlow, and JAX", https://doi.org/10.21105/joss.02607.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from attacks.libraries.library_attack import LibraryAttack
from attacks.libraries.outcome_classifier import OutcomeClassifier


class FoolboxAttack(LibraryAttack):
    """Base class of attacks from foolbox: declare ``access``, fields and ``build``.

    Attributes:
        targeted: whether the attack can aim at abstention. One that cannot only leaves the original's outcome.
    """

    targeted: ClassVar[bool] = True

    @abstractmethod
    def build(self) -> Any:
        """The foolbox attack, e.g. ``foolbox.attacks.L2PGD(steps=self.steps)``."""

    def attack_one(self, classifier: OutcomeClassifier, image: Tensor, abstention: int, epsilon: float) -> Tensor:
        """See :meth:`attacks.libraries.library_attack.LibraryAttack.attack_one`."""
        from foolbox.attacks.base import FixedEpsilonAttack
        from foolbox.criteria import Criterion, Misclassification, TargetedMisclassification
        from foolbox.models.pytorch import PyTorchModel

        model = PyTorchModel(classifier, bounds=(0, 1), device=image.device)
        criterion: Criterion
        if self.targeted:
            criterion = TargetedMisclassification(torch.full((1,), abstention, device=image.device))
        else:
            criterion = Misclassification(classifier(image).argmax(1))
        attack = self.build()
        wanted = epsilon if isinstance(attack, FixedEpsilonAttack) else None
        raw, _, success = attack(model, image, criterion, epsilons=wanted)
        # A minimum-norm attack that failed returns a black image. That may count as a success here, because a black
        # image is close to a tie.
        failed = wanted is None and not (bool(success) and bool(raw.any()))
        found: Tensor = image if failed else raw
        return found
