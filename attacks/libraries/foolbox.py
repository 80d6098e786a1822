"""foolbox's attacks on abstention."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from attacks.libraries.adapter import AdaptedAttack
from attacks.libraries.outcome_view import OutcomeView


class FoolboxAttack(AdaptedAttack):
    """Base class of attacks from foolbox: declare ``access``, fields and ``build``.

    Attributes:
        targeted: whether the attack can be aimed at the abstention outcome; without, at leaving the outcome that
            the original image has.
    """

    targeted: ClassVar[bool] = True

    @abstractmethod
    def build(self) -> Any:
        """The foolbox attack, e.g. ``foolbox.attacks.L2PGD(steps=self.steps)``."""

    def attack_one(self, view: OutcomeView, image: Tensor, abstention: int, epsilon: float) -> Tensor:
        """See :meth:`attacks.libraries.adapter.AdaptedAttack.attack_one`."""
        from foolbox.attacks.base import FixedEpsilonAttack
        from foolbox.criteria import Criterion, Misclassification, TargetedMisclassification
        from foolbox.models.pytorch import PyTorchModel

        model = PyTorchModel(view, bounds=(0, 1), device=image.device)
        criterion: Criterion
        if self.targeted:
            criterion = TargetedMisclassification(torch.full((1,), abstention, device=image.device))
        else:
            criterion = Misclassification(view(image).argmax(1))
        attack = self.build()
        wanted = epsilon if isinstance(attack, FixedEpsilonAttack) else None
        raw, _, success = attack(model, image, criterion, epsilons=wanted)
        # A minimum-norm attack that failed returns an all-zero image, which may well count as a success here: a
        # blank image is close to a tie.
        failed = wanted is None and not (bool(success) and bool(raw.any()))
        found: Tensor = image if failed else raw
        return found
