"""The smoothed classifier as a classifier of K + 1 outcomes: its K classes, and abstention as the last."""

from __future__ import annotations

import torch
from torch import Tensor

from targets.abstention import log_abstention_probability


def outcome_logits(probabilities: Tensor, n: int, alpha: float) -> Tensor:
    """log-probabilities (N, K + 1) of PREDICT's outcomes, float32, given smoothed probabilities (N, K).

    The last is the exact abstention condition. PREDICT's answer, where there is one, is shared among the classes
    by their probabilities, which is the right order and sum though not the right split near a tie.
    """
    log_abstain = log_abstention_probability(probabilities, n, alpha)[:, None]
    # log(1 - p) for p near 0 and near 1 alike
    log_answer = torch.log1p(-log_abstain.exp().clamp_max(1 - 1e-6))
    classes = probabilities.double().clamp_min(1e-12).log() + log_answer
    return torch.cat([classes, log_abstain], dim=1).float()
