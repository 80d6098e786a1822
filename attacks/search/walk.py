"""A search that walks from the originals, all images at once; and the nearest point that it saw across the boundary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.search.geometry import norms, per_image
from attacks.search.probit_gap import gap_and_gradient
from attacks.search.problem import Problem

GapAt = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points (M, C, H, W) → estimates of the probit gap (M,) and its gradient (M, C, H, W)."""


@dataclass(frozen=True)
class Walk(ABC):
    """A :class:`attacks.search.problem.Search` that looks at one point an image in each step.

    Attributes:
        steps, samples: see :class:`attacks.search.crossing.Crossing`.
    """

    steps: int
    samples: int

    def __call__(self, problem: Problem, rows: Sequence[int], rival: Tensor | None = None) -> Tensor:
        """See :class:`attacks.search.problem.Search`."""
        result, chosen = problem.images.clone(), list(rows)

        def gap_at(points: Tensor) -> tuple[Tensor, Tensor]:
            return gap_and_gradient(problem, points, chosen, self.samples, rival)

        if chosen:
            result[chosen] = self.walk(problem.images[chosen], problem.epsilon, gap_at)
        return result

    @abstractmethod
    def walk(self, originals: Tensor, epsilon: float, gap_at: GapAt) -> Tensor:
        """The points (M, C, H, W) in the ball of ``epsilon`` around ``originals`` that the walk ends with."""


class Nearest:
    """The nearest point to each original that counted as across: where the gap is estimated below -overshoot.

    A gap estimated from few samples may be below zero by chance.

    Attributes:
        norm: its distance (M,); infinite where none was seen.
    """

    def __init__(self, originals: Tensor, overshoot: float) -> None:
        self._originals, self._overshoot = originals, overshoot
        self._points = originals
        self.norm = originals.new_full((len(originals),), torch.inf)

    def see(self, points: Tensor, gap: Tensor) -> tuple[Tensor, Tensor]:
        """Look at points (M, C, H, W) with these gaps (M,). Returns their distances, and which count as across."""
        norm, across = norms(points - self._originals), gap < -self._overshoot
        closer = across & (norm < self.norm)
        self.norm = torch.where(closer, norm, self.norm)
        self._points = torch.where(per_image(closer), points, self._points)
        return norm, across

    def or_else(self, points: Tensor) -> Tensor:
        """The nearest points, and ``points`` where none was seen across."""
        return torch.where(per_image(self.norm.isfinite()), self._points, points)
