"""A data set of 160 small images, a linear target for it, and the experiment's settings made tiny."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.seed_paper import Result, Settings, reproduce
from leaderboard import Store
from targets import DATA, TARGETS, DataSet, Split, register
from targets.data import SplitName
from targets.training import Recipe

CLASSES, SHAPE = 3, (3, 8, 8)
SIZES: dict[SplitName, int] = {"train": 80, "adversary": 20, "evaluation": 60}

SETTINGS = Settings(
    target="tiny-linear",
    images=4,
    samples=(50, 200),
    query_samples=50,
    epochs=1,
    architecture="wide-resnet-10",
    recipe=Recipe(batch=16, learning_rate=0.05, crop=1, flip=True),
    parameters={
        "cw-transfer": {"search_steps": 2, "steps": 10, "initial_const": 100.0},
        "tv-transfer": {"search_steps": 2, "evaluations": 5},
        "margin-transfer": {"steps": 3, "samples": 20, "settle_steps": 1, "settle_samples": 20},
        "margin": {"steps": 6, "samples": 30, "settle_steps": 2, "settle_samples": 50},
        "cw": {"steps": 4, "samples": 20, "confirm_samples": 20},
    },
)


def patterns() -> Tensor:
    """One direction a class (3, 3·8·8), of norm 1."""
    drawn = torch.randn((CLASSES, 3 * 8 * 8), generator=torch.Generator().manual_seed(1))
    return drawn / drawn.norm(dim=1, keepdim=True)


def split(name: SplitName) -> Split:
    """Grey with the class's pattern on it, more or less clearly: some images lie near a tie."""
    generator = torch.Generator().manual_seed(len(name))
    count = SIZES[name]
    labels = torch.arange(count) % CLASSES
    strength = 1.2 * torch.rand((count, 1), generator=generator)
    flat = 0.5 + strength * patterns()[labels] + 0.02 * torch.randn((count, 3 * 8 * 8), generator=generator)
    return Split(flat.clamp(0, 1).view(count, *SHAPE), labels)


class Linear(nn.Module):
    """Its answer is the class whose pattern an image resembles most."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", 4 * patterns())

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 3)."""
        return (images - 0.5).flatten(1) @ self.weight.T  # type: ignore[operator]


def install() -> None:
    """Register both; conftest's fixture forgets the target after each test."""
    if "tiny" not in DATA:
        DATA.add("tiny", DataSet("tiny", CLASSES, SHAPE, split))
    if SETTINGS.target not in TARGETS:
        register(SETTINGS.target, sigma=0.5, data="tiny")(Linear)


def run(results: Path, **changes: object) -> Result:
    """The experiment on the tiny target."""
    install()
    return reproduce(replace(SETTINGS, **changes), Store.open(results), "cpu", quiet=True)  # type: ignore[arg-type]
