"""Attacks of the Adversarial Robustness Toolbox (ART) on abstention.

Nicolae et al. 2018, "Adversarial Robustness Toolbox v1.0.0", https://arxiv.org/abs/1807.01069.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks.access import Decision, Score
from attacks.libraries.library_attack import LibraryAttack
from attacks.libraries.outcome_classifier import OutcomeClassifier


class ARTAttack(LibraryAttack):
    """Base class of evasion attacks from ART: declare ``access``, fields and ``build``."""

    @abstractmethod
    def build(self, classifier: Any, epsilon: float) -> Any:
        """The ART attack, e.g. ``SquareAttack(classifier, norm=2, eps=epsilon, verbose=False)``."""

    def attack_one(self, classifier: OutcomeClassifier, image: Tensor, abstention: int, epsilon: float) -> Tensor:
        """See :meth:`attacks.libraries.library_attack.LibraryAttack.attack_one`."""
        classes = abstention + 1
        attack = self.build(self._art_classifier(classifier, image, classes), epsilon)
        # An untargeted attack takes the outcome to leave: the original's.
        outcome = abstention if getattr(attack, "targeted", False) else int(classifier(image).argmax(1)[0])
        wanted = np.eye(classes, dtype=np.float32)[[outcome]]
        with _seeded_random_states():
            found = attack.generate(x=image.detach().cpu().numpy(), y=wanted)
        return torch.from_numpy(np.asarray(found, dtype=np.float32))

    def _art_classifier(self, outcomes: OutcomeClassifier, image: Tensor, classes: int) -> Any:
        shape = tuple(image.shape[1:])
        if issubclass(self.access, Score | Decision):
            from art.estimators.classification import BlackBoxClassifierNeuralNetwork

            def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
                # Under NumPy 2 some attacks pass float64.
                points = torch.from_numpy(np.asarray(batch, dtype=np.float32)).to(image.device)
                answers: NDArray[np.float32] = outcomes(points).detach().cpu().numpy()
                return answers

            return BlackBoxClassifierNeuralNetwork(predict, shape, classes, clip_values=(0.0, 1.0))
        from art.estimators.classification import PyTorchClassifier

        return PyTorchClassifier(
            outcomes,
            loss=nn.CrossEntropyLoss(),
            input_shape=shape,
            nb_classes=classes,
            clip_values=(0.0, 1.0),
            device_type="gpu" if image.is_cuda else "cpu",
        )


@contextmanager
def _seeded_random_states() -> Iterator[None]:
    """HopSkipJump and others draw from ``RandomState()``, seeded by the operating system: seed it from NumPy's."""
    original = np.random.RandomState

    def seeded(seed: int | None = None) -> np.random.RandomState:
        return original(np.random.randint(2**31) if seed is None else seed)  # noqa: NPY002

    with patch.object(np.random, "RandomState", seeded):
        yield
