"""The meter: what an attack costs, image by image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor


class BudgetExhausted(RuntimeError):
    """A metered attack asked for more queries than its budget allows."""


class Meter:
    """Counts what each image of a batch has cost, and how many of its gradients were useless.

    Args:
        images: number of images in the attack's batch.
        query_budget: most queries for each image, or None.
        tick: called at every use, so that a progress display can refresh.

    Attributes:
        queries, forward, backward: queries to the target, and samples that went forward and backward through its base
            classifier, (N,) each.
        gradients, zero_gradients, broken_gradients: gradients that arrived at the image, those of them that are zero
            everywhere, and those that are not finite, (N,) each.
    """

    def __init__(self, images: int, query_budget: int | None = None, tick: Callable[[], None] | None = None) -> None:
        self.queries = np.zeros(images, dtype=np.int64)
        self.forward = np.zeros(images, dtype=np.int64)
        self.backward = np.zeros(images, dtype=np.int64)
        self.gradients = np.zeros(images, dtype=np.int64)
        self.zero_gradients = np.zeros(images, dtype=np.int64)
        self.broken_gradients = np.zeros(images, dtype=np.int64)
        self.query_budget = query_budget
        self.tick = tick or (lambda: None)

    def charge(self, rows: Sequence[int], *, queries: int = 0, forward: int = 0, backward: int = 0) -> None:
        """Add these costs to an image for each time that ``rows`` names it.

        Raises:
            BudgetExhausted: an image would have more queries than the budget; nothing is added then.
        """
        self.tick()
        times = np.bincount(np.asarray(rows, dtype=np.int64), minlength=len(self.queries))
        if self.query_budget is not None and np.any(self.queries + queries * times > self.query_budget):
            raise BudgetExhausted(f"the budget of {self.query_budget} queries for each image is spent")
        self.queries += queries * times
        self.forward += forward * times
        self.backward += backward * times

    def observe(self, rows: Sequence[int], gradients: Tensor | None) -> None:
        """Count gradients (B, ...) that arrived at the images of these rows; None stands for zeros."""
        if gradients is None:
            largest = np.zeros(len(rows))
        else:
            try:
                gradients.data_ptr()
            except RuntimeError:
                return  # inside vmap, where gradients can be computed with but have no values to look at
            largest = gradients.detach().flatten(1).abs().amax(1).cpu().double().numpy()  # NaN where one is NaN
        for count, which in (
            (self.gradients, np.ones(len(rows), dtype=bool)),
            (self.zero_gradients, largest == 0),
            (self.broken_gradients, ~np.isfinite(largest)),
        ):
            np.add.at(count, np.asarray(rows, dtype=np.int64)[which], 1)

    def observed(self) -> dict[str, int]:
        """The counts of gradients, summed over the images, by the names in :data:`leaderboard.checks.OBSERVED`.

        Empty where no gradient arrived.
        """
        if not self.gradients.any():
            return {}
        useless = self.zero_gradients + self.broken_gradients
        return {
            "gradients": int(self.gradients.sum()),
            "zero_gradients": int(self.zero_gradients.sum()),
            "broken_gradients": int(self.broken_gradients.sum()),
            "images_asked": int((self.gradients > 0).sum()),
            "images_blind": int(((self.gradients > 0) & (useless == self.gradients)).sum()),
        }
