"""Targets from checkpoints in the field's format, that of the code of Cohen et al. 2019.

Cohen, Rosenfeld and Kolter 2019, "Certified Adversarial Robustness via Randomized Smoothing",
https://arxiv.org/abs/1902.02918; code: https://github.com/locuslab/smoothing

``torch.save({"epoch": …, "arch": "cifar_resnet110", "state_dict": …, "optimizer": …})``, where the state dict is that
of ``Sequential(NormalizeLayer(means, sds), ResNet)``. So its names begin with "1.", or with "1.module." or
"module.1." where the network or the whole ran in ``DataParallel``. The original does not save the constants of the
normalisation. Forks that do call them "0.means" and "0.sds".

Networks that normalise in other ways are saved under the same names (some of smoothing-adversarial's only subtract the
means), or without a layer for it (MACER's see raw pixels). So the constants are never guessed: the checkpoint holds
them, or the user gives them.

A ``.safetensors`` file that ``benchmark train`` wrote is read too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from targets.checkpoint_file import read_checkpoint
from targets.data import DATA
from targets.errors import InputError, TargetError
from targets.models import ARCHITECTURES, VERSIONS, Shape
from targets.normalisation import check_constants, normalise
from targets.precision import Precision
from targets.state_dict import OWN, fill, parts
from targets.target import register
from targets.weights import mark

FIELD = {
    "cifar_resnet20": "resnet-20",
    "cifar_resnet110": "resnet-110",
    "resnet18": "resnet-18",
    "resnet50": "resnet-50",
    "vgg16": "vgg-16",
    "vgg16_bn": "vgg-16-bn",
    "WideResNet-28-10": "wide-resnet-28-10",
}
"""The field's names of architectures, and ours."""


def register_checkpoint(
    name: str,
    path: str | Path,
    *,
    sigma: float,
    data: str = "cifar10",
    architecture: str | None = None,
    means: Sequence[float] | None = None,
    sds: Sequence[float] | None = None,
    precision: Precision = "float32",
) -> None:
    """Register a target whose base classifier lies in a checkpoint, which is read when the target is loaded.

    Args:
        name: the target's name, e.g. ``"cohen-sigma0.50"``.
        path: the checkpoint.
        sigma: standard deviation of the smoothing noise, in [0, 1] pixel units.
        data: name of the data set it classifies.
        architecture: our name or the field's, e.g. ``"resnet-110"``; None for the one that the checkpoint names.
        means, sds: the network sees ``(image - means) / sds``, channel by channel, of an image in [0, 1]. Give both
            unless the checkpoint holds them or the architecture has no layer for them. For networks that only
            subtract the means, ``sds`` are ``[1, 1, 1]``.
        precision: in which the network computes; "bfloat16" is for names that end in "-bf16".

    Raises:
        InputError: no such file, the name is taken, sigma is not above 0 and finite, or the data set, the
            architecture, the precision or the constants are not right.
    """
    file = Path(path)
    if not os.path.isfile(file):
        raise InputError(f"there is no checkpoint {file}")
    if architecture is not None:
        _our_name(architecture)
    data_set = DATA[data]
    for key, values in (("means", means), ("sds", sds)):
        if values is not None:
            check_constants(key, values, data_set.shape[0])

    def build() -> nn.Module:
        return load_checkpoint(file, data_set.shape, data_set.num_classes, architecture, means, sds)

    description = f"{architecture or 'base classifier'} from {file.name}"
    register(name, sigma=sigma, data=data, description=description, precision=precision)(build)


def load_checkpoint(
    path: Path,
    shape: Shape,
    num_classes: int,
    architecture: str | None = None,
    means: Sequence[float] | None = None,
    sds: Sequence[float] | None = None,
) -> nn.Module:
    """The base classifier in a checkpoint: images (N, *``shape``) in [0, 1] to logits (N, ``num_classes``).

    Arguments are those of :func:`register_checkpoint`.

    Raises:
        InputError: the architecture is unknown, or the constants are given and in the checkpoint, or neither.
        TargetError: the checkpoint is missing, damaged or of another architecture, or holds more than tensors and
            plain values.
    """
    content = read_checkpoint(path)
    try:
        named = architecture if architecture is not None else content.get("arch")
        if not isinstance(named, str):
            raise InputError(f"says no architecture; give one: {_known()}; {OWN}")
        ours = _our_name(named)
        module = ARCHITECTURES[ours](shape, num_classes)
        weights, saved = parts(content["state_dict"], set(module.state_dict()))
        fill(module, weights, ours)
        own = path.suffix == ".safetensors" and set(weights) == set(content["state_dict"])
        note = normalise(module, ours, shape[0], saved, {"means": means, "sds": sds}, own)
        if ours in VERSIONS:
            mark(module, VERSIONS[ours])
    except (InputError, TargetError) as error:
        raise type(error)(f"checkpoint {path}: {error}") from error
    vars(module)["normalisation"] = note  # no buffer and not in its repr: it is not part of the network's identity
    return module


def _our_name(architecture: str) -> str:
    name = FIELD.get(architecture, architecture)
    if name not in ARCHITECTURES:
        raise InputError(f"unknown architecture {architecture!r}; known: {_known()}; {OWN}")
    return name


def _known() -> str:
    theirs = {ours: name for name, ours in FIELD.items()}
    return ", ".join(f"{name} ({theirs[name]})" if name in theirs else name for name in sorted(ARCHITECTURES))
