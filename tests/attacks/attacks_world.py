"""A linear target, whose smoothed classifier is known in closed form, and access to it."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor, nn

from attacks import Access, Attack, Deployment, Meter, WhiteBox
from benchmark.cell import Cell
from benchmark.running.access_factory import grant
from benchmark.running.cell_surrogates import CellSurrogates
from benchmark.running.surrogates import Surrogates
from benchmark.suite import Suite
from targets import ABSTAIN, DATA, SmoothedClassifier
from targets.abstention import abstention_probability
from targets.binomial import decide
from targets.noise import Streams

SIGMA = 0.25
N, ALPHA = 1000, 0.001
DEPLOYMENT = Deployment(2, (1, 8, 8), SIGMA, N, ALPHA)


class Linear(nn.Module):
    """f(x) = sign(w·x + b) with ‖w‖₂ = 1, so p_A = Φ(margin / σ) and the distance to the tie is the margin."""

    def __init__(self, sharpness: float = 20.0) -> None:
        super().__init__()
        direction = torch.randn(64, generator=torch.Generator().manual_seed(3))
        self.register_buffer("w", direction / direction.norm())
        self.sharpness = sharpness

    def margin(self, images: Tensor) -> Tensor:
        return (images.flatten(1) - 0.5) @ self.w

    def forward(self, images: Tensor) -> Tensor:
        margin = self.sharpness * self.margin(images)
        return torch.stack([margin, -margin], dim=1)

    def images(self, margins: list[float]) -> Tensor:
        """Images (N, 1, 8, 8) well inside the box with the margins given."""
        generator = torch.Generator().manual_seed(4)
        base = 0.1 * torch.randn((len(margins), 64), generator=generator)
        base -= (base @ self.w)[:, None] * self.w
        return (0.5 + base + torch.tensor(margins)[:, None] * self.w).view(-1, 1, 8, 8)


def abstention(base: Linear, images: Tensor) -> Tensor:
    """Exact probability (N,) that PREDICT of the linear target abstains."""
    p = torch.from_numpy(ndtr(base.margin(images).double().numpy() / SIGMA))
    return abstention_probability(torch.stack([p, 1 - p], dim=1), N, ALPHA)


def norms(delta: Tensor) -> Tensor:
    """ℓ2 norms (N,)."""
    return delta.flatten(1).norm(dim=1)


def white_box(base: nn.Module, images: int) -> tuple[WhiteBox, Meter]:
    """White-box access to the linear target."""
    meter = Meter(images)
    return WhiteBox(base, DEPLOYMENT, meter), meter


def streams(images: int) -> Streams:
    return Streams((0, "test"), range(images))


class Perfect:
    """A surrogate that is the target itself, or one whose tie lies elsewhere; and the target's PREDICT."""

    def __init__(self, images: int, shift: float = 0.0) -> None:
        self.base = Linear()
        self.random = np.random.default_rng(0)
        self.meter = Meter(images)
        self.shift = shift

    def surrogate(self, key, build, fit) -> torch.nn.Module:
        """The target, but with its tie ``shift`` away."""
        base, shift = self.base, self.shift

        class Shifted(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("w", base.w)

            def forward(self, images: Tensor) -> Tensor:
                margin = base.sharpness * ((images.flatten(1) - 0.5) @ self.w.to(images.dtype) + shift)
                return torch.stack([margin, -margin], dim=1)

        return Shifted()

    def predict(self, images: Tensor, rows, ordinals):
        p = ndtr(self.base.margin(images).double().numpy() / SIGMA)
        votes = self.random.binomial(N, p)
        return decide(np.stack([votes, N - votes], axis=1), ALPHA, ABSTAIN)


MARGINS = [0.15, 0.3, 0.45, 0.6, -0.15, -0.3, -0.45, 0.01]


def not_asked(*recipe) -> torch.nn.Module:
    raise AssertionError("the other kind of surrogate was asked for")


CHEAP = {"epochs": 2, "search_steps": 1, "steps": 3, "evaluations": 4, "settle_samples": 100, "queries": 12}
"""Hyper-parameters that make any attack quick, for those that have them."""


def cheap(cls: type[Attack]) -> Attack:
    fields = cls().parameters()
    return cls(**{name: value for name, value in CHEAP.items() if name in fields})


def cell_of(target: SmoothedClassifier, name: str, attack: Attack, images: tuple[int, ...]) -> Cell:
    suite = Suite(name="test", samples=100, ceiling_samples=100)
    return Cell(suite, target, name, attack, 0.5, images)


def granted(cell: Cell, surrogates: Surrogates) -> tuple[Access, Meter]:
    meter = Meter(len(cell.images), cell.query_budget)
    return grant(cell, meter, CellSurrogates(surrogates)), meter


def evaluation(images: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    split = DATA["digits"].split("evaluation")
    rows = torch.tensor(images, dtype=torch.int64)
    return split.images[rows], split.labels[rows]
