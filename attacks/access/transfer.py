"""Access to surrogates, which are trained before the attack; and to a few labels beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from attacks.access.base import Access, Deployment
from attacks.access.meter import Meter
from attacks.access.queries import Decision, Predict
from attacks.access.white_box import WhiteBox

Progress = Callable[[int, int], None]
"""(epochs done, epochs in all): call it after each epoch, and at the start with the epochs that a checkpoint held."""

Fit = Callable[..., None]
"""(module to train in place, the adversary's images, the target's answers, seed).

If it has a parameter ``checkpoint``, it is given the path of a file in which a long training may keep its state. If it
has a parameter ``progress``, it is given a :data:`Progress`. Both by name.
"""

Surrogate = Callable[[str, Callable[[], nn.Module], Fit], nn.Module]
"""(key, build, fit) → the trained module."""

SameDataFit = Callable[..., None]
"""(module to train in place, the target's training set, seed, path of a file in which it may keep its state).

If it has a parameter ``progress``, it is given a :data:`Progress` by name.
"""

SameDataSurrogate = Callable[[str, Callable[[], nn.Module], SameDataFit], nn.Module]
"""(key, build, fit) → the trained module."""


class Transfer(Access):
    """Surrogates, trained before the attack on the target's answers or on its training set. No query during it."""

    kind = "transfer"

    def __init__(
        self,
        surrogate: Surrogate,
        same_data_surrogate: SameDataSurrogate,
        deployment: Deployment,
        meter: Meter,
    ) -> None:
        super().__init__(deployment, meter)
        self._deployment = deployment
        self._surrogate = surrogate
        self._same_data_surrogate = same_data_surrogate

    def surrogate(self, key: str, build: Callable[[], nn.Module], fit: Fit) -> nn.Module:
        """A surrogate trained on the target's answers to the adversary's own images.

        It is trained once: every cell that asks for the same key of the same target gets the same one.

        Args:
            key: names architecture and recipe: everything that shapes the weights beside target and seed.
            build: makes the untrained module.
            fit: trains it in place on the adversary's images (M, C, H, W) and the answers (M,), ``ABSTAIN`` = -1. See
                :data:`Fit`; one that uses the checkpoint goes on where it was killed.

        Returns:
            The module in evaluation mode, without parameter gradients.
        """
        self._meter.tick()
        return self._surrogate(key, build, fit)

    def same_data_surrogate(self, key: str, build: Callable[[], nn.Module], fit: SameDataFit) -> nn.Module:
        """A surrogate trained on the target's own training set with its true labels. It costs no query at all.

        This models an adversary who knows what the target was trained on, as everybody does for a public data set.

        Args:
            key: names architecture and recipe, σ included: everything that shapes the weights beside data and seed.
            build: makes the untrained module.
            fit: trains it in place on the training set. See :data:`SameDataFit`; one that uses the checkpoint goes on
                where it was killed.

        Returns:
            The module in evaluation mode, without parameter gradients.
        """
        self._meter.tick()
        return self._same_data_surrogate(key, build, fit)

    def smoothed(self, surrogate: Callable[[Tensor], Tensor], images: int) -> WhiteBox:
        """White-box access to a surrogate, smoothed with the target's σ. What it is asked is not charged.

        Args:
            surrogate: images (B, C, H, W) → logits (B, K).
            images: number of images in the attack's batch.
        """
        return WhiteBox(surrogate, self._deployment, Meter(images, tick=self._meter.tick))


class Hybrid(Transfer):
    """What a transfer attacker has, and label queries during the attack."""

    kind = "hybrid"
    metered = True

    def __init__(
        self,
        surrogate: Surrogate,
        same_data_surrogate: SameDataSurrogate,
        predict: Predict,
        own_images: Callable[[], Tensor],
        deployment: Deployment,
        meter: Meter,
    ) -> None:
        super().__init__(surrogate, same_data_surrogate, deployment, meter)
        self._decision = Decision(predict, own_images, deployment, meter)

    def images(self) -> Tensor:
        """See :meth:`Decision.images`."""
        return self._decision.images()

    def predict(self, images: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """See :meth:`Decision.predict`."""
        return self._decision.predict(images, rows)
