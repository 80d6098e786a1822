"""The Adversarial Robustness Toolbox's attacks on abstention."""

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
from attacks.libraries.adapter import AdaptedAttack
from attacks.libraries.outcome_view import OutcomeView


class ARTAttack(AdaptedAttack):
    """Base class of evasion attacks from ART: declare ``access``, fields and ``build``."""

    @abstractmethod
    def build(self, classifier: Any, epsilon: float) -> Any:
        """The ART attack, e.g. ``SquareAttack(classifier, norm=2, eps=epsilon, verbose=False)``."""

    def attack_one(self, view: OutcomeView, image: Tensor, abstention: int, epsilon: float) -> Tensor:
        """See :meth:`attacks.libraries.adapter.AdaptedAttack.attack_one`."""
        classes = abstention + 1
        attack = self.build(self._classifier(view, image, classes), epsilon)
        # Untargeted attacks are told to leave the outcome that the original image has.
        outcome = abstention if getattr(attack, "targeted", False) else int(view(image).argmax(1)[0])
        wanted = np.eye(classes, dtype=np.float32)[[outcome]]
        with _seeded_random_states():
            found = attack.generate(x=image.detach().cpu().numpy(), y=wanted)
        return torch.from_numpy(np.asarray(found, dtype=np.float32))

    def _classifier(self, view: OutcomeView, image: Tensor, classes: int) -> Any:
        shape = tuple(image.shape[1:])
        if issubclass(self.access, Score | Decision):
            from art.estimators.classification import BlackBoxClassifierNeuralNetwork

            def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
                # Under NumPy 2 some attacks pass float64.
                points = torch.from_numpy(np.asarray(batch, dtype=np.float32)).to(image.device)
                answers: NDArray[np.float32] = view(points).detach().cpu().numpy()
                return answers

            return BlackBoxClassifierNeuralNetwork(predict, shape, classes, clip_values=(0.0, 1.0))
        from art.estimators.classification import PyTorchClassifier

        return PyTorchClassifier(
            view,
            loss=nn.CrossEntropyLoss(),
            input_shape=shape,
            nb_classes=classes,
            clip_values=(0.0, 1.0),
            device_type="gpu" if image.is_cuda else "cpu",
        )


@contextmanager
def _seeded_random_states() -> Iterator[None]:
    """HopSkipJump and others draw from ``RandomState()``, which the operating system seeds; seed it from NumPy's."""
    original = np.random.RandomState

    def seeded(seed: int | None = None) -> np.random.RandomState:
        return original(np.random.randint(2**31) if seed is None else seed)  # noqa: NPY002

    with patch.object(np.random, "RandomState", seeded):
        yield
