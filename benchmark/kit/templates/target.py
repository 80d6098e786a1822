"""my-target: one line on what it classifies, and where its weights are from (title, address)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from targets import Split, register, register_data

SHAPE = (1, 28, 28)  # channels, height, width
CLASSES = 3


def images(count: int, seed: int) -> Split:
    """Put your own here: images (N, C, H, W), floating numbers in [0, 1], and labels (N,), 0 to CLASSES - 1.

    A split must have the same images each time it is loaded, so what is drawn is seeded. These are grey images with a
    band, whose place is the class: in some so faint that little noise hides it.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    grey = 0.3 * torch.rand((count, *SHAPE), generator=generator)
    brightness = 0.02 + 0.13 * torch.rand((count, 1, 1, 1), generator=generator)
    return Split((grey + brightness * bands()[labels]).clamp(0, 1), labels)


def bands() -> Tensor:
    """Each class's band (CLASSES, C, H, W)."""
    height = SHAPE[1] // CLASSES
    found = torch.zeros((CLASSES, *SHAPE))
    for label in range(CLASSES):
        found[label, :, label * height : (label + 1) * height] = 1
    return found


# Leave this out where the target classifies images that are registered already: data="digits" or data="cifar10" below.
register_data(
    "my-target-data",
    shape=SHAPE,
    num_classes=CLASSES,
    train=lambda: images(300, seed=0),  # what the target was trained on; for attacks that train on it, too
    adversary=lambda: images(300, seed=1),  # what an attacker owns; or held_back=10 in its place, or nothing
    evaluation=lambda: images(100, seed=2),  # what attacks are evaluated on
)


# sigma is the standard deviation of the smoothing noise, in [0, 1] pixel units.
@register("my-target", sigma=0.5, data="my-target-data")
def base_classifier() -> nn.Module:
    """A matched filter for bands: this line is shown in lists."""
    # Any module of images (N, C, H, W) in [0, 1] to logits (N, CLASSES), for example your network with its weights from
    # torch.load(Path(__file__).with_name("weights.pt"), weights_only=True). It normalises by itself. A checkpoint of
    # {"arch": …, "state_dict": …} needs no code: see targets.register_checkpoint, or a TOML file.
    linear = nn.Linear(SHAPE[0] * SHAPE[1] * SHAPE[2], CLASSES)
    with torch.no_grad():
        linear.weight.copy_(bands().flatten(1) / bands()[0].norm())
        linear.bias.zero_()
    return nn.Sequential(nn.Flatten(), linear)
