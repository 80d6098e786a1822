"""A training of a linear classifier, which a signal may stop at any step."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import ClassVar

import torch
from benchmark_helpers import command
from torch import nn

from targets import Split
from targets.training import Recipe

RECIPE = Recipe(epochs=4, batch=16, learning_rate=0.07, crop=1, flip=True)
STEPS = 4
"""Batches an epoch."""


class Tiny(nn.Module):
    """A linear classifier that sends its process a signal at a training step of choice."""

    stop_at: ClassVar[tuple[int, signal.Signals] | None] = None
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * 6 * 6, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            Tiny.steps += 1
            if Tiny.stop_at is not None and Tiny.stop_at[0] == Tiny.steps:
                signal.raise_signal(Tiny.stop_at[1])
        logits: torch.Tensor = self.layer(images.flatten(1))
        return logits


def split(name: str) -> Split:
    """Bright images and dark ones."""
    generator = torch.Generator().manual_seed(len(name))
    labels = torch.arange({"train": 64, "adversary": 8, "evaluation": 45}[name]) % 2
    images = 0.6 * torch.rand(len(labels), 3, 6, 6, generator=generator) + 0.4 * labels[:, None, None, None]
    return Split(images, labels)


def train(folder: Path, *arguments: object) -> int:
    return command("train", "tiny-sigma0.25", "--output", folder, "--device", "cpu", *arguments)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


FINISHED = ["tiny-sigma0.25.md", "tiny-sigma0.25.safetensors"]


def same_weights(one: Path, other: Path) -> bool:
    return (one / FINISHED[1]).read_bytes() == (other / FINISHED[1]).read_bytes()
