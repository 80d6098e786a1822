"""Residual networks for 32×32 images, with the parameter names of Cohen et al.'s code.

He, Zhang, Ren and Sun 2016, "Deep Residual Learning for Image Recognition", section 4.2,
https://arxiv.org/abs/1512.03385
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from targets.models import ARCHITECTURES, Shape

MEANS = (0.4914, 0.4822, 0.4465)
DEVIATIONS = (0.2023, 0.1994, 0.2010)
"""CIFAR-10's channel means and standard deviations, as in the code of Cohen et al. 2019."""


class Normalize(nn.Module):
    """Normalises images in [0, 1] to mean 0 and standard deviation 1, channel by channel. It has no parameters."""

    means: Tensor
    deviations: Tensor

    def __init__(self, means: Sequence[float] = MEANS, deviations: Sequence[float] = DEVIATIONS) -> None:
        super().__init__()
        self.register_buffer("means", torch.tensor(means).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviations", torch.tensor(deviations).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, C, H, W)."""
        return (images - self.means) / self.deviations


class _BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        result: Tensor = torch.relu(inner + (x if self.downsample is None else self.downsample(x)))
        return result


class ResNet(nn.Module):
    """Depth 6k + 2 with k basic blocks in each of three groups; depth 20 has 272k parameters, depth 110 1.7M.

    Args:
        depth: 6k + 2: 20, 32, 44, 56, 110 …
        shape: of the images, (C, H, W).
        num_classes: K.

    Raises:
        ValueError: ``depth`` is not 6k + 2.
    """

    def __init__(self, depth: int = 20, shape: Shape = (3, 32, 32), num_classes: int = 10) -> None:
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"depth is {depth}; a residual network for CIFAR-10 has depth 6k + 2")
        blocks = (depth - 2) // 6
        self.normalize = Normalize(MEANS, DEVIATIONS) if shape[0] == 3 else Normalize([0.5], [0.25])
        self.conv1 = nn.Conv2d(shape[0], 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _group(16, 16, blocks, 1)
        self.layer2 = _group(16, 32, blocks, 2)
        self.layer3 = _group(32, 64, blocks, 2)
        self.fc = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W) in [0, 1]."""
        x = torch.relu(self.bn1(self.conv1(self.normalize(images))))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


def _group(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    first = _BasicBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(_BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1)))


ARCHITECTURES.add("resnet-20", lambda shape, num_classes: ResNet(20, shape, num_classes))
ARCHITECTURES.add("resnet-110", lambda shape, num_classes: ResNet(110, shape, num_classes))
