"""Small networks for tests of the engine's arithmetics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from targets.precision import Bfloat16

SHAPE = (3, 16, 16)
"""Large enough to be folded."""


class Residual(nn.Module):
    """What a residual network is made of, once each: convolution, batch normalisation, a fork, a mean, a product."""

    def __init__(self, fork: bool = True) -> None:
        super().__init__()
        self.fork = fork
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        inner = torch.relu(self.bn1(self.conv1(images)))
        other = self.bn2(self.conv2(inner))
        inner = torch.relu(inner + other if self.fork else other)
        logits: Tensor = self.fc(nn.functional.adaptive_avg_pool2d(inner, 1).flatten(1))
        return logits


def trained() -> nn.Module:
    """With random weights, and batch normalisation that has something to fold."""
    torch.manual_seed(3)
    net = Residual().train()
    with torch.no_grad():
        for _ in range(5):
            net(noisy(64))
    return net.eval().requires_grad_(False)


def whole(fork: bool = True) -> nn.Module:
    """With small whole numbers for weights: whatever the order of adding up, float32 gives the true sum.

    Its values pass 256, above which bfloat16 does not hold every whole number, so that roundings show.
    """
    net = Residual(fork).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(5)
    for name, weights in net.named_parameters():
        if not name.startswith("bn"):
            weights.copy_(torch.randint(-3, 5, weights.shape, generator=generator))
    for part in (net.bn1, net.bn2):
        part.eps = 0.0  # folded, it stays the identity
    return net


def whole_images(count: int) -> Tensor:
    """Images (N, 3, 16, 16) of whole numbers."""
    return torch.randint(-4, 6, (count, *SHAPE), generator=torch.Generator().manual_seed(6)).float()


def noisy(count: int) -> Tensor:
    """Noisy images (N, 3, 16, 16)."""
    generator = torch.Generator().manual_seed(4)
    shape = (count, *SHAPE)
    return torch.rand(shape, generator=generator) + 0.5 * torch.randn(shape, generator=generator)


def in_bfloat16(net: nn.Module) -> Bfloat16:
    return Bfloat16(net).requires_grad_(False)


def gradient(function: nn.Module, images: Tensor) -> Tensor:
    """Of a weighted sum of logits with respect to the images, exact where the function is."""
    images = images.clone().requires_grad_()
    (result,) = torch.autograd.grad((function(images) @ torch.arange(-4.0, 6.0)).sum(), images)
    return result
