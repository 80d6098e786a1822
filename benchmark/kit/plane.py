"""A smoothed classifier that is known in closed form: a plane between two classes.

The base classifier is f(x) = sign(w·(x − ½)) with ‖w‖₂ = 1. Under noise of standard deviation σ it gives the class on
the image's side with probability p_A = Φ(|margin| / σ), where margin = w·(x − ½) is the distance to the plane. So the
nearest tie lies at the margin, along w, and the best that any attack can do within ε is to go min(ε, |margin|) there.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor, nn

from targets import DataSet, SmoothedClassifier, Split
from targets.abstention import abstention_probability
from targets.data.split import SplitName

NAME = "closed-form"
"""Of the target and of its data set."""

SHAPE = (3, 8, 8)
SIGMA = 0.25
EPSILON = 0.5
SAMPLES, ALPHA = 1000, 0.001
"""PREDICT's n and level."""

MARGINS = (0.15, -0.2, 0.3, -0.35, 0.42, -0.42, 0.02, 0.7, -0.9, 0.25)
"""Of the evaluation images: one is at the tie, two are out of reach within ε."""

OWN_IMAGES = 100
"""Of the adversary, and of the training set."""


class Plane(nn.Module):
    """The base classifier: images (N, C, H, W) → logits (N, 2)."""

    normal: Tensor

    def __init__(self, sharpness: float = 20.0) -> None:
        super().__init__()
        # Of low frequency, for surrogates to learn it from few images.
        coarse = torch.randn((3, 2, 2), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        drawn = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
        self.register_buffer("normal", drawn / drawn.norm())
        self.sharpness = sharpness

    def margin(self, images: Tensor) -> Tensor:
        """The signed distance (N,) of images to the tie, float64: above 0 on the side of class 0."""
        # In double precision and row by row, so that the batch changes not even the last bit.
        return ((images.double() - 0.5) * self.normal).flatten(1).sum(1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 2), float32."""
        scaled = self.sharpness * self.margin(images)
        return torch.stack([scaled, -scaled], dim=1).float()

    def abstention(self, images: Tensor) -> NDArray[np.float64]:
        """P[PREDICT abstains] (N,), exact."""
        return _abstention(self.margin(images).abs().cpu().numpy())

    def best(self, images: Tensor, epsilon: float) -> NDArray[np.float64]:
        """The largest P[PREDICT abstains] (N,) that any image within ``epsilon`` of each has."""
        return _abstention(np.maximum(self.margin(images).abs().cpu().numpy() - epsilon, 0.0))

    def with_margins(self, margins: Tensor, seed: int) -> Tensor:
        """Images (N, C, H, W), well inside [0, 1], that lie so far from the tie."""
        generator = torch.Generator().manual_seed(seed)
        beside = 0.08 * torch.randn((len(margins), *SHAPE), generator=generator, dtype=torch.float64)
        beside -= (beside * self.normal).flatten(1).sum(1)[:, None, None, None] * self.normal
        return (0.5 + beside + margins.double()[:, None, None, None] * self.normal).float()


def _abstention(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    p = torch.from_numpy(ndtr(distance / SIGMA))
    found: NDArray[np.float64] = abstention_probability(torch.stack([p, 1 - p], dim=1), SAMPLES, ALPHA).numpy()
    return found


def split(name: SplitName) -> Split:
    """The evaluation images, one of them with a label that is not the target's answer, and 100 of the adversary's."""
    plane = Plane()
    if name == "evaluation":
        margins = torch.tensor(MARGINS)
        labels = (margins < 0).long()
        labels[-1] = 1
        return Split(plane.with_margins(margins, seed=4), labels)
    seed = {"train": 5, "adversary": 6}[name]
    margins = 2 * torch.rand(OWN_IMAGES, generator=torch.Generator().manual_seed(seed)) - 1
    return Split(plane.with_margins(margins, seed), (margins < 0).long())


def data_set() -> DataSet:
    """To be registered while the target is in use."""
    return DataSet(NAME, 2, SHAPE, split)


def target() -> SmoothedClassifier:
    """The smoothed classifier."""
    return SmoothedClassifier(Plane(), SIGMA, 2, name=NAME, digest=NAME, data=NAME)
