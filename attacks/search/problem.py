"""What a search through gradients is asked to do, and how every such search is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from attacks.access import WhiteBox
from targets.noise import Streams


@dataclass(frozen=True)
class Problem:
    """Images, each to be moved across the boundary of the class that leads there.

    Attributes:
        model: the smoothed classifier; the target, or one around surrogates.
        images: originals (N, C, H, W) in [0, 1].
        home: the class to leave at each, (N,), int64.
        epsilon: radius of the ℓ2 ball around each original, in [0, 1] pixel units.
        generator: one random generator for each image.
    """

    model: WhiteBox
    images: Tensor
    home: Tensor
    epsilon: float
    generator: Streams


class Search(Protocol):
    """Looks for images across the boundary."""

    def __call__(self, problem: Problem, rows: Sequence[int], rival: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in the ball; those not in ``rows`` are the originals.

        Args:
            rows: which images to move.
            rival: the class to reach at each, (N,); without, any other than ``home``.
        """
