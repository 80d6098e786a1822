"""The sampling loop: votes of a base classifier under Gaussian noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from targets.errors import TargetError
from targets.noise import BLOCK, Key, Noise

BATCH = 1000
"""Noise samples a forward pass; samples of several images share one."""

SMALLEST_BATCH = 16
"""CPU kernels take another path, with other rounding, for a handful of rows; smaller batches are padded."""


def padded(batch: Tensor) -> Tensor:
    """A batch (N, C, H, W) with rows of zeros up to :data:`SMALLEST_BATCH`."""
    missing = SMALLEST_BATCH - len(batch)
    return torch.cat([batch, batch.new_zeros((missing, *batch.shape[1:]))]) if missing > 0 else batch


def checked_logits(base_classifier: nn.Module, batch: Tensor, num_classes: int) -> Tensor:
    """Logits (N, K) of a batch (N, C, H, W), the same for each row whatever the batch's size.

    Raises:
        TargetError: the base classifier returns something that is not (N, K) finite numbers.
    """
    rows = len(batch)
    batch = padded(batch)
    logits = base_classifier(batch)
    if not isinstance(logits, Tensor) or logits.shape != (len(batch), num_classes):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise TargetError(
            f"the base classifier returned {shape} for {len(batch)} images; expected ({len(batch)}, {num_classes})"
        )
    logits = logits[:rows]
    if not bool(torch.isfinite(logits).all()):
        raise TargetError("the base classifier returned NaN or infinite logits")
    return logits


def _blocks(images: int, n: int) -> Iterator[tuple[int, int, int]]:
    """(row, block, samples taken from it) in the order in which they are counted."""
    for row in range(images):
        for block in range(-(-n // BLOCK)):
            yield row, block, min(BLOCK, n - block * BLOCK)


@torch.inference_mode()
def count_votes(
    base_classifier: nn.Module,
    images: Tensor,
    n: int,
    *,
    sigma: float,
    num_classes: int,
    noise: Noise,
    indices: Sequence[Key],
    batch: int = BATCH,
) -> NDArray[np.int64]:
    """How often each class is the base classifier's answer over ``n`` noise samples an image.

    Args:
        images: (N, C, H, W) in [0, 1], on the base classifier's device. Noise is not clipped.
        indices: the images' indices in their data set, which key their noise.
        batch: noise samples a forward pass, rounded down to whole blocks. Bounds the memory; changes nothing
            else.

    Returns:
        Votes (N, K), each row summing to ``n``.
    """
    votes = torch.zeros((len(images), num_classes), dtype=torch.int64, device=images.device)
    per_pass = max(1, batch // BLOCK)
    pending: list[tuple[int, int, int]] = []

    def flush() -> None:
        if not pending:
            return
        shape = tuple(images.shape[1:])
        drawn = np.concatenate([noise.block(indices[row], block, shape)[:take] for row, block, take in pending])
        rows = torch.tensor([row for row, _, take in pending for _ in range(take)], device=images.device)
        samples = torch.from_numpy(drawn).to(images.device).mul_(sigma).add_(images[rows])
        answers = checked_logits(base_classifier, samples, num_classes).argmax(1)
        votes.view(-1).scatter_add_(0, rows * num_classes + answers, torch.ones_like(answers))
        pending.clear()

    for item in _blocks(len(images), n):
        pending.append(item)
        if len(pending) == per_pass:
            flush()
    flush()
    return votes.cpu().numpy()
