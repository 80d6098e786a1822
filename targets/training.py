"""Training of base classifiers, with noise of the target's own σ and the loss of a defence."""

from __future__ import annotations

import io
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from targets.data import Split
from targets.defences import Defence, Gaussian
from targets.engine.allocator import keep_freed_memory
from targets.engine.processor import X86, bfloat16_instructions
from targets.errors import InputError
from targets.weights import write_whole


@dataclass(frozen=True)
class Recipe:
    """SGD with Nesterov momentum, one cycle of learning rate and momentum (0.95 to 0.85 and back), noisy images.

    Attributes:
        epochs: passes over the training images.
        batch: images a step.
        learning_rate: the largest, in the middle of the cycle.
        weight_decay: of all weights.
        crop: pad images by so many zero pixels and crop them back at random; 0 for none.
        flip: mirror images at random.
        bfloat16: train in mixed precision where the device has bfloat16.
    """

    epochs: int = 200
    batch: int = 64
    learning_rate: float = 0.05
    weight_decay: float = 5e-4
    crop: int = 0
    flip: bool = False
    bfloat16: bool = False


def train(
    module: nn.Module,
    split: Split,
    sigma: float,
    recipe: Recipe,
    *,
    defence: Defence | None = None,
    seed: int = 0,
    progress: Callable[[int, float], None] | None = None,
    checkpoint: Path | None = None,
    resumed: Callable[[int], None] | None = None,
) -> nn.Module:
    """Train ``module`` on images with N(0, σ²I) noise, which is added in [0, 1] pixel units and not clipped.

    Args:
        module: the base classifier, on the device to train on.
        split: the training images and labels.
        sigma: standard deviation of the noise, in [0, 1] pixel units.
        recipe: the optimiser's settings and the augmentation.
        defence: whose loss is minimised; None for the cross-entropy on noisy images.
        seed: of the order of images, their augmentation and their noise.
        progress: called after every epoch with its number, from 0, and mean loss.
        checkpoint: written after every epoch. If it exists, training continues from it, and ends with the same weights
            as if it had never stopped.
        resumed: called once, before the first epoch, with the number of epochs that the checkpoint holds.

    Returns:
        ``module``, trained in place, in evaluation mode.

    Raises:
        InputError: ``checkpoint`` is of another training, damaged, or cannot be written.
    """
    keep_freed_memory()
    defence = defence or Gaussian()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(
        module.parameters(),
        lr=recipe.learning_rate,
        momentum=0.95,  # which the schedule cycles
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )
    steps = -(-len(split.images) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.learning_rate, total_steps=recipe.epochs * steps
    )
    device = next(module.parameters()).device
    images, labels = split.images.to(device), split.labels.to(device)
    stateful = {"module": module, "optimizer": optimizer, "schedule": schedule}
    identity = {**asdict(recipe), "sigma": sigma, "seed": seed, "images": len(images)}
    if not isinstance(defence, Gaussian):  # its checkpoints have never named a defence
        identity |= defence.identity
    begin = 0 if checkpoint is None else _resume(checkpoint, identity, stateful, generator)
    if resumed is not None:
        resumed(begin)
    half = recipe.bfloat16 and has_bfloat16(device)
    layout = torch.channels_last if half else torch.contiguous_format  # the fast layout for bfloat16 convolutions
    module.to(memory_format=layout).train()

    network, noise = _Network(module, layout), _Noise(sigma, generator)
    for epoch in range(begin, recipe.epochs):
        total = 0.0
        for rows in torch.randperm(len(images), generator=generator).split(recipe.batch):
            batch = augmented(images[rows], recipe, generator)
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = defence.loss(network, batch, labels[rows], noise)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        if checkpoint is not None:
            _save(checkpoint, epoch + 1, identity, stateful, generator)
        if progress is not None:
            progress(epoch, total / len(images))
    # In the layout of a loaded module: kernels for another layout round otherwise.
    return module.to(memory_format=torch.contiguous_format).eval()


@dataclass(frozen=True)
class _Network:
    """See :class:`targets.defences.defence.Network`."""

    module: nn.Module
    layout: torch.memory_format

    def __call__(self, images: Tensor) -> Tensor:
        logits: Tensor = self.module(images.contiguous(memory_format=self.layout)).float()
        return logits

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        self.module.eval()
        try:
            yield
        finally:
            self.module.train()


@dataclass(frozen=True)
class _Noise:
    """See :class:`targets.defences.defence.Noise`."""

    sigma: float
    generator: torch.Generator

    def __call__(self, images: Tensor) -> Tensor:
        return noisy(images, self.sigma, self.generator)

    def uniform(self, count: int) -> Tensor:
        return torch.rand(count, generator=self.generator)


def noisy(images: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Images plus Gaussian noise of standard deviation ``sigma``, drawn on the CPU so that all devices get the same."""
    if sigma == 0:
        return images
    return images + sigma * torch.randn(images.shape, generator=generator).to(images.device)


def augmented(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Images (N, C, H, W), each cropped and mirrored at random where the recipe says so."""
    count, channels, height, width = images.shape
    if recipe.crop:
        top, left = torch.randint(0, 2 * recipe.crop + 1, (2, count, 1), generator=generator)
        rows = (top + torch.arange(height)).to(images.device)[:, None, :, None]
        columns = (left + torch.arange(width)).to(images.device)[:, None, None, :]
        image = torch.arange(count, device=images.device)[:, None, None, None]
        channel = torch.arange(channels, device=images.device)[None, :, None, None]
        images = functional.pad(images, (recipe.crop,) * 4)[image, channel, rows, columns]
    if recipe.flip:
        mirrored = torch.rand(count, generator=generator).lt(0.5).to(images.device)
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    return images


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # Other CPUs, and releases of PyTorch that do not tell, train in float32, which is correct everywhere.
    return platform.machine() in X86 and bool(bfloat16_instructions())


def _save(
    path: Path, epoch: int, identity: dict[str, Any], stateful: dict[str, Any], generator: torch.Generator
) -> None:
    state = {name: part.state_dict() for name, part in stateful.items()}
    content = io.BytesIO()
    torch.save({"epoch": epoch, "identity": identity, "generator": generator.get_state(), **state}, content)
    write_whole(path, content.getvalue())


def _resume(path: Path, identity: dict[str, Any], stateful: dict[str, Any], generator: torch.Generator) -> int:
    """Load a checkpoint into ``stateful``; the next epoch, 0 where there is no checkpoint."""
    if not path.is_file():
        return 0
    anew = "delete it to begin anew"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file
        raise InputError(f"the checkpoint {path} is damaged; {anew}") from error
    if not isinstance(state, dict) or not {"epoch", "identity", "generator", *stateful} <= state.keys():
        raise InputError(f"{path} is no checkpoint of a training; {anew}")
    held = state["identity"]
    changed = [name for name in {**identity, **held} if held.get(name) != identity.get(name)]
    if changed:
        differences = ", ".join(f"{name} {held.get(name)}, not {identity.get(name)}" for name in changed)
        raise InputError(f"the checkpoint {path} is of another training ({differences}); {anew}")
    try:
        for name, part in stateful.items():
            part.load_state_dict(state[name])
    except (RuntimeError, ValueError) as error:  # torch's for the weights and for the optimizer of another network
        raise InputError(f"the checkpoint {path} is of another architecture; {anew}") from error
    generator.set_state(state["generator"])
    epoch: int = state["epoch"]
    return epoch
