"""Architectures of base classifiers and surrogates: images (N, C, H, W) in [0, 1] → logits (N, K)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from targets.errors import InputError
from targets.registry import Registry

Shape = tuple[int, int, int]


class Architectures(Registry[Callable[[Shape, int], nn.Module]]):
    """The architectures by name."""

    def __getitem__(self, name: str) -> Callable[[Shape, int], nn.Module]:
        """The architecture of that name. Raises :class:`InputError` where there is none, and lists those there are."""
        if name not in self:
            raise InputError(f"unknown architecture {name!r}; known: {', '.join(sorted(self))}")
        return super().__getitem__(name)


ARCHITECTURES = Architectures("architecture")
"""Architectures by name: each is a function of the image shape (C, H, W) and the number of classes."""

VERSIONS: dict[str, str] = {}
"""Versions of the code behind plugins' architectures, by name. Edited code may build another network."""


class SmallCNN(nn.Module):
    """Two strided convolutions and two linear layers. For 8×8 images: 14k parameters, 34k multiply–adds an image."""

    def __init__(self, shape: Shape = (1, 8, 8), num_classes: int = 10) -> None:
        super().__init__()
        channels, height, width = shape
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * -(-height // 4) * -(-width // 4), 64),
            nn.ReLU(),
            nn.Linear(64, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W)."""
        logits: Tensor = self.layers((images - 0.3) / 0.4)
        return logits


class _WideBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = torch.relu(self.norm1(x))
        inner = self.conv2(torch.relu(self.norm2(self.conv1(active))))
        result: Tensor = inner + self.shortcut(active)
        return result


class WideResNet10(nn.Module):
    """Wide residual network of depth 10: one block in each of three groups.

    Zagoruyko and Komodakis 2016, "Wide Residual Networks", https://arxiv.org/abs/1605.07146

    Args:
        shape: of the images, (C, H, W).
        num_classes: number of logits.
        widen: width factor k; the groups have 16k, 32k and 64k channels.
    """

    def __init__(self, shape: Shape = (3, 32, 32), num_classes: int = 11, widen: int = 1) -> None:
        super().__init__()
        widths = (16 * widen, 32 * widen, 64 * widen)
        self.stem = nn.Conv2d(shape[0], 16, 3, 1, 1, bias=False)
        self.groups = nn.Sequential(
            _WideBlock(16, widths[0], 1),
            _WideBlock(widths[0], widths[1], 2),
            _WideBlock(widths[1], widths[2], 2),
        )
        self.norm = nn.BatchNorm2d(widths[2])
        self.head = nn.Linear(widths[2], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W)."""
        features = torch.relu(self.norm(self.groups(self.stem((images - 0.5) / 0.25))))
        logits: Tensor = self.head(functional.adaptive_avg_pool2d(features, 1).flatten(1))
        return logits


ARCHITECTURES.add("small-cnn", SmallCNN)
ARCHITECTURES.add("wide-resnet-10", WideResNet10)
ARCHITECTURES.add("wide-resnet-10-2", lambda shape, num_classes: WideResNet10(shape, num_classes, widen=2))
