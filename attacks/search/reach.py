"""Which images could abstain at all: nothing is spent on the others."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from attacks.access import Access
from targets.ceiling import ceilings

HOPELESS = 1e-3
"""Proven upper bound on an image's chance to abstain, below which it is left alone."""


def within_reach(model: Access, votes: Tensor, epsilon: float) -> list[int]:
    """The images that could abstain within ``epsilon``, by the ceiling that votes (N, K) at the originals prove."""
    bounds = ceilings(votes.long().cpu().numpy(), epsilon, model.sigma, model.n, model.alpha)
    return np.flatnonzero(bounds > HOPELESS).tolist()
