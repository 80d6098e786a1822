"""Checkpoints in the format of the code of Cohen et al. 2019, and their network, written from its description.

Nothing here is shared with :mod:`targets.resnet`: the forward pass walks the state dict by the field's names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

MEANS, SDS = [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]


def blocks(depth: int) -> Iterator[tuple[str, int, int, int]]:
    """Name, input channels, output channels and stride of each basic block."""
    inputs = 16
    for group, outputs in enumerate((16, 32, 64), start=1):
        for block in range((depth - 2) // 6):
            yield f"layer{group}.{block}", inputs, outputs, 2 if group > 1 and block == 0 else 1
            inputs = outputs


def state_dict(depth: int, num_classes: int = 10, seed: int = 0) -> dict[str, Tensor]:
    """Random weights and statistics by the network's own names, without a prefix."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def convolution(name: str, inputs: int, outputs: int, size: int) -> None:
        scale = (2 / (outputs * size**2)) ** 0.5
        state[f"{name}.weight"] = scale * torch.randn(outputs, inputs, size, size, generator=generator)

    def norm(name: str, channels: int) -> None:
        state[f"{name}.weight"] = 0.5 + torch.rand(channels, generator=generator)
        state[f"{name}.bias"] = 0.1 * torch.randn(channels, generator=generator)
        state[f"{name}.running_mean"] = 0.1 * torch.randn(channels, generator=generator)
        state[f"{name}.running_var"] = 0.5 + torch.rand(channels, generator=generator)
        state[f"{name}.num_batches_tracked"] = torch.tensor(17)

    convolution("conv1", 3, 16, 3)
    norm("bn1", 16)
    for name, inputs, outputs, stride in blocks(depth):
        convolution(f"{name}.conv1", inputs, outputs, 3)
        norm(f"{name}.bn1", outputs)
        convolution(f"{name}.conv2", outputs, outputs, 3)
        norm(f"{name}.bn2", outputs)
        if stride != 1:
            convolution(f"{name}.downsample.0", inputs, outputs, 1)
            norm(f"{name}.downsample.1", outputs)
    state["fc.weight"] = 0.1 * torch.randn(num_classes, 64, generator=generator)
    state["fc.bias"] = torch.randn(num_classes, generator=generator)
    return state


def logits(
    state: dict[str, Tensor], images: Tensor, depth: int, means: Sequence[float] = MEANS, sds: Sequence[float] = SDS
) -> Tensor:
    """What the network answers in evaluation mode."""

    def norm(name: str, x: Tensor) -> Tensor:
        parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, *parts)

    def convolution(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        return functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    x = (images - torch.tensor(means).view(3, 1, 1)) / torch.tensor(sds).view(3, 1, 1)
    x = functional.relu(norm("bn1", convolution("conv1", x)))
    for name, _, _, stride in blocks(depth):
        inner = functional.relu(norm(f"{name}.bn1", convolution(f"{name}.conv1", x, stride)))
        inner = norm(f"{name}.bn2", convolution(f"{name}.conv2", inner))
        if stride != 1:
            x = norm(f"{name}.downsample.1", convolution(f"{name}.downsample.0", x, stride))
        x = functional.relu(inner + x)
    return functional.linear(functional.avg_pool2d(x, 8).flatten(1), state["fc.weight"], state["fc.bias"])


def write(
    path: Path, state: dict[str, Tensor], arch: str | None = "cifar_resnet20", prefix: str = "1.", **others: Any
) -> Path:
    """Save a checkpoint as the field does; ``others`` are further tensors of the state dict, by name."""
    content: dict[str, Any] = {
        "epoch": 90,
        "arch": arch,
        "state_dict": {**{f"{prefix}{name}": tensor for name, tensor in state.items()}, **others},
        "optimizer": torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9).state_dict(),
    }
    if arch is None:
        del content["arch"]
    torch.save(content, path)
    return path
