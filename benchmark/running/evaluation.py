"""Evaluation: the budget rule, then PREDICT on noise that the attack never saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.budget import SLACK
from targets import ABSTAIN
from targets.binomial import decide, p_value, top_two

PREDICT_COLUMNS = ("outcome", "first", "first_votes", "second", "second_votes", "p")
"""What a record says of PREDICT's answer. Its columns for the original image begin with ``clean_``."""


class AttackError(RuntimeError):
    """An attack returned something other than a batch of images."""


@dataclass(frozen=True)
class Sent:
    """What the adversary sends, after the budget rule.

    Attributes:
        images: (N, C, H, W), with the original in place of each that breaks a rule.
        validity: per image "valid", "not-finite", "out-of-range" or "over-budget".
        l2, linf: norms of what the attack returned minus the original; NaN where it is not finite.
        changed: whether the image that is sent differs from the original.
    """

    images: Tensor
    validity: NDArray[Any]
    l2: NDArray[np.float64]
    linf: NDArray[np.float64]
    changed: NDArray[np.bool_]


def enforce(images: Tensor, returned: object, epsilon: float) -> Sent:
    """The budget rule: the original is sent in place of an image that is not finite, leaves [0, 1] or is over budget.

    Args:
        images: originals (N, C, H, W).
        returned: what the attack returned for them.

    Raises:
        AttackError: it is not a dense floating-point tensor of the originals' shape, or has no values.
    """
    if not isinstance(returned, Tensor):
        raise AttackError(f"the attack returned {type(returned).__name__}; expected a tensor")
    if returned.is_meta or returned.is_nested or returned.layout is not torch.strided:
        kind = (
            "on device meta, which has no values"
            if returned.is_meta
            else f"of layout {'nested' if returned.is_nested else returned.layout}"
        )
        raise AttackError(f"the attack returned a tensor {kind}; expected a dense one on {images.device}")
    if returned.shape != images.shape or not returned.is_floating_point():
        raise AttackError(
            f"the attack returned {returned.dtype} of shape {tuple(returned.shape)}; "
            f"expected floating point of shape {tuple(images.shape)}"
        )
    candidates = returned.detach().to(images.device, torch.float32)
    delta = (candidates.double() - images.double()).flatten(1)
    l2 = delta.norm(dim=1)
    finite = torch.isfinite(delta).all(1)
    in_range = ((candidates >= 0) & (candidates <= 1)).flatten(1).all(1)
    in_budget = l2 <= epsilon * (1 + SLACK)
    valid = finite & in_range & in_budget
    sent = torch.where(valid[:, None, None, None], candidates, images)
    reasons = [~finite.cpu().numpy(), ~in_range.cpu().numpy(), ~in_budget.cpu().numpy()]
    linf = delta.abs().amax(1) if delta.numel() else l2
    nan = torch.full_like(l2, torch.nan)
    return Sent(
        images=sent,
        validity=np.select(reasons, ["not-finite", "out-of-range", "over-budget"], default="valid"),
        l2=torch.where(finite, l2, nan).cpu().numpy(),
        linf=torch.where(finite, linf, nan).cpu().numpy(),
        changed=(sent != images).flatten(1).any(1).cpu().numpy(),
    )


def predicted(votes: NDArray[np.int64], alpha: float) -> dict[str, NDArray[Any]]:
    """PREDICT's answers to images with these votes (N, K), and what they rest on: `PREDICT_COLUMNS`, each (N,)."""
    first, first_votes, second, second_votes = top_two(votes)
    p = p_value(first_votes, second_votes)
    columns = (decide(votes, alpha, ABSTAIN), first, first_votes, second, second_votes, p)
    return dict(zip(PREDICT_COLUMNS, columns, strict=True))


BREACHES = {"not-finite": "are not finite", "out-of-range": "leave [0, 1]", "over-budget": "are farther than ε"}
"""What the budget rule says of images, in words."""


def broken_rules(validity: NDArray[Any]) -> str:
    """How many images break the budget rule, and which part of it, in words; empty where none does."""
    count = Counter(validity.tolist())
    parts = [f"{count[name]} {words}" for name, words in BREACHES.items() if count[name]]
    broken = sum(count[name] for name in BREACHES)
    return f"{broken} of {len(validity)} images break the budget rule: {', '.join(parts)}" if parts else ""


def take(split_images: Tensor, indices: Sequence[int]) -> Tensor:
    """Rows of a split, by index."""
    return split_images[torch.as_tensor(list(indices), dtype=torch.int64)]
