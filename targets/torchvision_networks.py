"""ResNet-18, ResNet-50 and VGG-16 as torchvision has them, with its names for their parameters.

They are for images of 224×224 and take others; VGG-16 needs 32×32 at least. Torchvision is imported when one is built.

Source: torchvision.models, https://docs.pytorch.org/vision/stable/models.html.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from torch import Tensor, nn

from targets.errors import InputError
from targets.models import ARCHITECTURES, Shape
from targets.resnet import Normalize

MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, as torchvision and Cohen et al. 2019 normalise with them."""

VGG_SMALLEST = 32
"""Pixels of the shorter side: VGG-16 halves it five times."""


def _build(name: str) -> Callable[[Shape, int], nn.Module]:
    def build(shape: Shape, num_classes: int) -> nn.Module:
        from torchvision import models

        if name.startswith("vgg") and min(shape[1:]) < VGG_SMALLEST:
            raise InputError(f"{name} takes images of {VGG_SMALLEST}×{VGG_SMALLEST} or more, not {shape[1]}×{shape[2]}")
        network: Any = getattr(models, name)(weights=None, num_classes=num_classes)
        if shape[0] != len(MEANS):
            _take_channels(network, shape[0])
        network.normalize = Normalize(MEANS, DEVIATIONS) if shape[0] == len(MEANS) else Normalize([0.5], [0.25])
        network.__class__ = _normalised(network.__class__)
        made: nn.Module = network
        return made

    return build


def _take_channels(network: Any, channels: int) -> None:
    """Put in place of the first convolution one that takes so many channels."""
    first: nn.Conv2d = network.conv1 if hasattr(network, "conv1") else network.features[0]
    size, stride, padding = first.kernel_size[0], first.stride[0], int(first.padding[0])
    other = nn.Conv2d(channels, first.out_channels, size, stride, padding, bias=first.bias is not None)
    if hasattr(network, "conv1"):
        network.conv1 = other
    else:
        network.features[0] = other


@cache
def _normalised(base: Any) -> Any:
    """The class of the same network, but for its layer ``normalize`` before all others."""

    def forward(self: Any, images: Tensor) -> Tensor:
        logits: Tensor = base.forward(self, self.normalize(images))
        return logits

    return type(f"Normalised{base.__name__}", (base,), {"__module__": __name__, "forward": forward})


ARCHITECTURES.add("resnet-18", _build("resnet18"))
ARCHITECTURES.add("resnet-50", _build("resnet50"))
ARCHITECTURES.add("vgg-16", _build("vgg16"))
ARCHITECTURES.add("vgg-16-bn", _build("vgg16_bn"))
