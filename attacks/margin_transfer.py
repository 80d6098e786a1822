"""The margin-squared objective on a substitute that the attacker smooths."""

from __future__ import annotations

from torch import Tensor

from attacks.access import Transfer
from attacks.base import Attack, register
from attacks.margin_search import MarginSearch
from attacks.surrogate import Substitute
from targets.noise import Streams


@register("margin-transfer")
class MarginTransfer(Attack):
    """The margin-squared search on a substitute trained with the target's σ of noise and smoothed by the attacker."""

    access = Transfer
    architecture: str = "small-cnn"
    epochs: int = 150
    batch: int = 64
    learning_rate: float = 0.05
    steps: int = 12
    samples: int = 64
    step_size: float = 0.5
    settle_steps: int = 3
    settle_samples: int = 300
    temperature: float = 1.0

    def __call__(self, model: Transfer, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        substitute = Substitute(
            self.architecture,
            self.epochs,
            self.batch,
            self.learning_rate,
            abstention=False,
            sigma=model.sigma,
        ).of(model)
        search = MarginSearch(
            self.steps, self.samples, self.step_size, self.settle_steps, self.settle_samples, self.temperature
        )
        return search(model.smoothed(substitute, len(images)), images, epsilon, generator)
