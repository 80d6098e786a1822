"""Base classifiers in bfloat16: batch normalisation folded, channels-last, with float32 images and logits."""

from __future__ import annotations

import copy
import warnings
from typing import Literal

import torch
from torch import Tensor, nn

Precision = Literal["float32", "bfloat16"]

SUFFIX = "-bf16"
"""Ends the name of a target whose base classifier computes in bfloat16, since it is a classifier of its own."""


class Bfloat16(nn.Module):
    """A base classifier that computes in bfloat16, whose images and logits are float32.

    Batch normalisation is folded into the convolutions before the weights are rounded, so that each weight is rounded
    once.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(folded(module)).to(torch.bfloat16).to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K), float32, of images (N, C, H, W), float32."""
        logits: Tensor = self.module(images.to(torch.bfloat16, memory_format=torch.channels_last))
        return logits.float()


def folded(module: nn.Module) -> nn.Module:
    """The module in evaluation mode, or a copy with batch normalisation folded into the convolutions before it."""
    from torch.fx.experimental.optimization import fuse

    module = module.eval()
    if not any(isinstance(part, nn.BatchNorm2d) for part in module.modules()):
        return module
    try:
        return fuse(module).eval()
    except Exception as error:  # tracing runs the module on symbols, which may raise anything
        warnings.warn(f"batch normalisation is not folded, since the module cannot be traced: {error}", stacklevel=2)
        return module


def in_precision(module: nn.Module, precision: Precision) -> nn.Module:
    """The base classifier as it is deployed: ``module`` itself for float32, or its bfloat16 version."""
    return Bfloat16(module) if precision == "bfloat16" else module
