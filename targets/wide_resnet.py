"""Wide residual networks for 32×32 images, with the names that TRADES and RobustBench give their parameters.

Source: Zagoruyko & Komodakis 2016, "Wide Residual Networks", https://arxiv.org/abs/1605.07146; names after
https://github.com/yaodongyu/TRADES/blob/master/models/wideresnet.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from targets.models import ARCHITECTURES, Shape
from targets.resnet import DEVIATIONS, MEANS, Normalize


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        same = inputs == outputs
        self.convShortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = torch.relu(self.bn1(x))
        inner = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        result: Tensor = inner + (x if self.convShortcut is None else self.convShortcut(active))
        return result


class _Group(nn.Module):
    def __init__(self, inputs: int, outputs: int, blocks: int, stride: int) -> None:
        super().__init__()
        rest = (_Block(outputs, outputs, 1) for _ in range(blocks - 1))
        self.layer = nn.Sequential(_Block(inputs, outputs, stride), *rest)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x)
        return result


class WideResNet(nn.Module):
    """Depth 6k + 4 with k blocks in each of three groups of 16, 32 and 64 times ``widen`` channels.

    WRN-28-10 has 36.5M parameters.

    Raises:
        ValueError: ``depth`` is not 6k + 4.
    """

    def __init__(self, depth: int = 28, widen: int = 10, shape: Shape = (3, 32, 32), num_classes: int = 10) -> None:
        super().__init__()
        if depth < 10 or depth % 6 != 4:
            raise ValueError(f"depth is {depth}; a wide residual network has depth 6k + 4")
        blocks, width = (depth - 4) // 6, 16 * widen
        self.normalize = Normalize(MEANS, DEVIATIONS) if shape[0] == 3 else Normalize([0.5], [0.25])
        self.conv1 = nn.Conv2d(shape[0], 16, 3, 1, 1, bias=False)
        self.block1 = _Group(16, width, blocks, 1)
        self.block2 = _Group(width, 2 * width, blocks, 2)
        self.block3 = _Group(2 * width, 4 * width, blocks, 2)
        self.bn1 = nn.BatchNorm2d(4 * width)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W) in [0, 1]."""
        x = self.block3(self.block2(self.block1(self.conv1(self.normalize(images)))))
        x = functional.adaptive_avg_pool2d(torch.relu(self.bn1(x)), 1).flatten(1)
        logits: Tensor = self.fc(x)
        return logits


ARCHITECTURES.add("wide-resnet-28-10", lambda shape, num_classes: WideResNet(28, 10, shape, num_classes))
