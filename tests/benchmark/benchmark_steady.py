"""A plugin of surrogates that training hardly changes, so that no attack on one succeeds or fails by luck.

What training makes of a surrogate differs from processor to processor, and so does what an attack finds on it. Here the
trained part changes the last digits of a record, and nothing else.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from targets import DATA
from targets.models import ARCHITECTURES, Shape

PREFIX = "steady-"
SHARPNESS = 10.0
WIDTH = 3.0
"""Abstention, where it is a class, wins where the top two digits' logits are less than this apart."""
TRAINED = 0.1
"""The most that the trained part adds to a logit."""


class Steady(nn.Module):
    """The digit whose mean training image is nearest, in closed form, and a little of a trained network."""

    def __init__(self, architecture: str, shape: Shape, num_classes: int) -> None:
        super().__init__()
        split = DATA["digits"].split("train")
        means = torch.stack([split.images[split.labels == digit].flatten(1).mean(0) for digit in range(10)])
        self.register_buffer("weight", SHARPNESS * (means - means.mean(0)))
        self.register_buffer("bias", SHARPNESS * (means.mean(0).square().sum() - means.square().sum(1)) / 2)
        self.abstains = num_classes == 11
        self.trained = ARCHITECTURES[architecture](shape, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of digits (N, 1, 8, 8); K is 11 where abstention is a class, else 10."""
        logits = images.flatten(1) @ self.weight.T + self.bias
        if self.abstains:
            logits = torch.cat([logits, logits.topk(2).values[:, 1:] + WIDTH], 1)
        return logits + TRAINED * self.trained(images).tanh()


for name in list(ARCHITECTURES):
    ARCHITECTURES.add(PREFIX + name, partial(Steady, name))
