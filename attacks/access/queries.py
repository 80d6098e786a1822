"""Access by queries: vote counts, or labels and abstentions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.access.base import Access, Deployment
from attacks.access.meter import Meter

Votes = Callable[[Tensor, Sequence[int], Sequence[int], int], NDArray[np.int64]]
"""(images (B, C, H, W), their rows, the number of queries made before for the same row, noise samples) → votes (B, K).
"""

Predict = Callable[[Tensor, Sequence[int], Sequence[int]], NDArray[np.int64]]
"""(images (B, C, H, W), their rows, the number of queries made before for the same row) → labels or ABSTAIN (B,)."""


def _ordinals(rows: Sequence[int], asked: NDArray[np.int64]) -> list[int]:
    """For each query, how many were made before it for the same image, ``asked`` (N,) included.

    The noise of a query is keyed by it, so that each has noise of its own.
    """
    count = asked.copy()
    result = []
    for row in rows:
        result.append(int(count[row]))
        count[row] += 1
    return result


class Score(Access):
    """Vote counts: each query runs the smoothed classifier once, on fresh noise."""

    kind = "score"
    metered = True

    def __init__(self, votes: Votes, deployment: Deployment, meter: Meter) -> None:
        super().__init__(deployment, meter)
        self._votes = votes

    def votes(self, images: Tensor, rows: Sequence[int] | None = None, samples: int | None = None) -> Tensor:
        """Vote counts (B, K), int64.

        Args:
            images: (B, C, H, W) in [0, 1].
            rows: the image of the batch that each belongs to.
            samples: noise samples of each query; without, PREDICT's n. The meter counts them in both cases.

        Raises:
            BudgetExhausted: an image would have more queries than its budget.
        """
        chosen = self.rows(images, rows)
        samples = self.n if samples is None else samples
        ordinals = _ordinals(chosen, self._meter.queries)
        self._meter.charge(chosen, queries=1, forward=samples)
        return torch.from_numpy(self._votes(images.detach(), chosen, ordinals, samples))


class Decision(Access):
    """Labels or ABSTAIN: each query is one PREDICT on fresh noise. And the adversary's own images, to start from."""

    kind = "decision"
    metered = True

    def __init__(
        self, predict: Predict, own_images: Callable[[], Tensor], deployment: Deployment, meter: Meter
    ) -> None:
        super().__init__(deployment, meter)
        self._predict = predict
        self._own_images = own_images

    def images(self) -> Tensor:
        """The adversary's own images (M, C, H, W) in [0, 1]. They have no labels: to learn one costs a query."""
        return self._own_images()

    def predict(self, images: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """PREDICT's answers (B,), int64, ``ABSTAIN`` = -1.

        Each query is charged n samples, also where PREDICT stops early.

        Args:
            images: (B, C, H, W) in [0, 1].
            rows: the image of the batch that each belongs to.

        Raises:
            BudgetExhausted: an image would have more queries than its budget.
        """
        chosen = self.rows(images, rows)
        ordinals = _ordinals(chosen, self._meter.queries)
        self._meter.charge(chosen, queries=1, forward=self.n)
        return torch.from_numpy(self._predict(images.detach(), chosen, ordinals))
