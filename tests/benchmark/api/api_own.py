"""An attack and a network of a user's own, in a file of theirs."""

from __future__ import annotations

import torch

from attacks import Attack, NoAccess, WhiteBox


class TowardsGrey(Attack):
    """Walk towards grey."""

    access = NoAccess
    share: float = 0.9

    def __call__(self, model, images, labels, epsilon, generator):
        away = 0.5 - images
        length = away.flatten(1).norm(dim=1).clamp_min(1e-9)[:, None, None, None]
        return images + away * (self.share * epsilon / length).clamp(max=1)


class Broken(Attack):
    """Raises."""

    access = WhiteBox

    def __call__(self, model, images, labels, epsilon, generator):
        raise ZeroDivisionError("of the attack")


class Brightness(torch.nn.Module):
    """Three classes: dark, middling, bright."""

    def forward(self, images):
        mean = images.flatten(1).mean(1)
        return torch.stack([-20 * (mean - middle) ** 2 for middle in (0.0, 0.5, 1.0)], 1)
