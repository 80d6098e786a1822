"""The target as other libraries see it: a classifier of K + 1 outcomes, the last of which is abstention.

It can do what the attack's access can do. White-box access and a surrogate give gradients, vote counts give scores, and
decisions give only the outcome.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from attacks.access import Access, Decision, Score, Transfer, WhiteBox
from attacks.search.estimates import vote_probabilities
from attacks.surrogate import SurrogateRecipe
from targets.abstention import log_abstention_probability
from targets.noise import Streams
from targets.smoothing import ABSTAIN

SAMPLES = 100
"""Noise samples for each image under white-box access."""


def outcome_logits(probabilities: Tensor, n: int, alpha: float) -> Tensor:
    """log-probabilities (N, K + 1) of PREDICT's outcomes, float32, given smoothed probabilities (N, K).

    The last is exact. The probability that PREDICT answers at all is divided among the classes in proportion to their
    smoothed probabilities: order and sum are exact, while near a tie the division is not.
    """
    log_abstain = log_abstention_probability(probabilities, n, alpha)[:, None]
    # log(1 - p) for p near 0 and near 1 alike
    log_answer = torch.log1p(-log_abstain.exp().clamp_max(1 - 1e-6))
    classes = probabilities.double().clamp_min(1e-12).log() + log_answer
    return torch.cat([classes, log_abstain], dim=1).float()


class OutcomeClassifier(nn.Module):
    """Images (B, C, H, W), all candidates for one image of the batch → logits (B, K + 1).

    Args:
        model: the attack's access.
        row: the image's position in the attack's batch; it is charged for every query.
        generator: of the batch; white-box noise comes from the image's own.
        recipe: how a transfer attack trains its surrogate.

    Raises:
        TypeError: the access has no classifier to attack.
    """

    def __init__(self, model: Access, row: int, generator: Streams, recipe: SurrogateRecipe) -> None:
        super().__init__()
        self._forward = _outcomes(model, row, generator, recipe)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K + 1), float32."""
        return self._forward(images)


def _outcomes(model: Access, row: int, generator: Streams, recipe: SurrogateRecipe) -> Callable[[Tensor], Tensor]:
    def white_box(images: Tensor) -> Tensor:
        assert isinstance(model, WhiteBox)
        rows = [row] * len(images)
        p = vote_probabilities(model.logits(images, model.noise(images, SAMPLES, generator, rows), rows))
        return outcome_logits(p, model.n, model.alpha)

    def score(images: Tensor) -> Tensor:
        assert isinstance(model, Score)
        votes = model.votes(images.clamp(0, 1), [row] * len(images)).to(images.device)
        return outcome_logits((votes + 0.5) / (votes + 0.5).sum(1, keepdim=True), model.n, model.alpha)

    def decision(images: Tensor) -> Tensor:
        assert isinstance(model, Decision)
        answers = model.predict(images.clamp(0, 1), [row] * len(images))
        outcome = torch.where(answers == ABSTAIN, model.num_classes, answers)
        return one_hot(outcome, model.num_classes + 1).float().to(images.device)

    if isinstance(model, WhiteBox):
        return white_box
    if isinstance(model, Score):
        return score
    if isinstance(model, Decision):
        return decision
    if isinstance(model, Transfer):
        return recipe.of(model)
    raise TypeError(f"an attack with {model.kind!r} access has no classifier to attack")
