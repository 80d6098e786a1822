"""The seed paper's proposal: minimise the square of the difference of the top two probabilities."""

from __future__ import annotations

from torch import Tensor

from attacks.access import WhiteBox
from attacks.base import Attack, register
from attacks.margin_search import MarginSearch
from targets.noise import Streams


@register("margin")
class Margin(Attack):
    """Minimise the squared difference of the smoothed classifier's top two probabilities, through its gradients.

    Covington's proposal, with normalised gradient steps that stop at the tie; see
    :class:`~attacks.margin_search.MarginSearch` for the parameters.
    """

    access = WhiteBox
    steps: int = 12
    samples: int = 64
    step_size: float = 0.5
    settle_steps: int = 3
    settle_samples: int = 300
    temperature: float = 1.0

    def __call__(self, model: WhiteBox, images: Tensor, labels: Tensor, epsilon: float, generator: Streams) -> Tensor:
        search = MarginSearch(**self.parameters())
        return search(model, images, epsilon, generator)
