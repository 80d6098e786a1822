"""Training with Gaussian noise of the target's own σ (Cohen et al. 2019, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from targets.data import Split


@dataclass(frozen=True)
class Recipe:
    """SGD with Nesterov momentum, a one-cycle learning rate and noise-augmented images."""

    epochs: int = 200
    batch: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4


def train(
    module: nn.Module,
    split: Split,
    sigma: float,
    recipe: Recipe,
    *,
    seed: int = 0,
    progress: Callable[[int, float], None] | None = None,
) -> nn.Module:
    """Fit ``module`` to images with N(0, σ²I) added in [0, 1] space and not clipped.

    Args:
        progress: called after every epoch with its number and mean loss.

    Returns:
        ``module``, trained in place and switched to evaluation mode.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(
        module.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )
    steps = -(-len(split.images) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.learning_rate, total_steps=recipe.epochs * steps
    )
    device = next(module.parameters()).device
    images, labels = split.images.to(device), split.labels.to(device)
    module.train()
    for epoch in range(recipe.epochs):
        total = 0.0
        for rows in torch.randperm(len(images), generator=generator).split(recipe.batch):
            loss = functional.cross_entropy(module(noisy(images[rows], sigma, generator)), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        if progress is not None:
            progress(epoch, total / len(images))
    return module.eval()


def noisy(images: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Images plus Gaussian noise of standard deviation ``sigma``, drawn on the CPU for every device alike."""
    if sigma == 0:
        return images
    return images + sigma * torch.randn(images.shape, generator=generator).to(images.device)
