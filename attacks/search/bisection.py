"""Landing by labels alone: bisection of the way to an image across the boundary, until the target abstains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.search.geometry import per_image
from targets.smoothing import ABSTAIN

Predict = Callable[[Tensor, list[int]], Tensor]
"""(points (B, C, H, W), their rows) → labels or ABSTAIN (B,)."""


def land_by_labels(
    predict: Predict,
    images: Tensor,
    adversarial: Tensor,
    home: Tensor,
    queries: Sequence[int],
    start: Tensor | None = None,
    confirm: int = 1,
) -> tuple[Tensor, NDArray[np.bool_]]:
    """Bisect between originals and adversarial images, (N, C, H, W) each, until the target abstains.

    Args:
        home: the label of each original, (N,).
        queries: most queries for each image.
        start: where to ask first, as a share of the way to the adversarial image, (N,); without, at its end.
        confirm: how many more answers at the same point must be ABSTAIN. The first point to abstain may lie at the
            edge of the band of ties, where it was luck.

    Returns:
        The images, and whether an answer other than ``home`` was seen on the way, (N,). Where the target never
        abstained, the image is halfway between the nearest points known on either side, or the end of the segment
        where no point beyond the boundary is known.
    """
    near, far = np.zeros(len(images)), np.ones(len(images))
    crossed = np.zeros(len(images), dtype=bool)  # whether a point beyond the boundary is known
    abstained = np.zeros(len(images), dtype=np.int64)  # times in a row at the present point
    share = np.ones(len(images)) if start is None else start.detach().double().cpu().clamp(0, 1).numpy().copy()
    left = np.array(queries, dtype=np.int64)
    while True:
        active = np.flatnonzero((abstained <= confirm) & (left > 0) & ((near < 1) | crossed)).tolist()
        if not active:
            break
        points = _between(images[active], adversarial[active], share[active])
        for row, answer in zip(active, predict(points, active).tolist(), strict=True):
            left[row] -= 1
            if answer == ABSTAIN:
                abstained[row] += 1
                continue
            abstained[row] = 0
            if answer == int(home[row]):
                near[row] = share[row]
            else:
                far[row], crossed[row] = share[row], True
            # Until a point beyond the boundary is known, the end of the segment is asked.
            share[row] = (near[row] + far[row]) / 2 if crossed[row] else 1.0
    return _between(images, adversarial, share), crossed | (abstained > 0)


def _between(images: Tensor, adversarial: Tensor, share: NDArray[np.float64]) -> Tensor:
    """The points at ``share`` of the way from images to adversarial images."""
    result: Tensor = images + per_image(torch.from_numpy(share).to(images)) * (adversarial - images)
    return result.clamp(0, 1)
