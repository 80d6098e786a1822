"""Targets from checkpoints in the field's format, that of the code of Cohen et al. 2019 (locuslab/smoothing).

``torch.save({"epoch": …, "arch": "cifar_resnet110", "state_dict": …, "optimizer": …})``, where the state dict is that
of ``Sequential(NormalizeLayer(means, sds), ResNet)``. So its names begin with "1.", and with "1.module." or
"module.1." where the network or the whole ran in ``DataParallel``. The normalisation's constants are not part of
it in the original, and are "0.means" and "0.sds" in forks that register them.

A ``.safetensors`` file that ``benchmark train`` wrote is read too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from targets.data import DATA
from targets.errors import InputError, TargetError
from targets.models import ARCHITECTURES, VERSIONS, Shape
from targets.precision import Precision
from targets.registry import unknown
from targets.resnet import Normalize
from targets.target import register
from targets.weights import mark

FIELD = {"cifar_resnet20": "resnet-20", "cifar_resnet110": "resnet-110"}
"""The field's names of architectures, and ours."""

CONSTANTS = ("means", "sds")


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
        architecture: ours or the field's name for it, e.g. ``"resnet-110"``; what the checkpoint says without.
        means, sds: what the network subtracts from each channel and divides it by, where the checkpoint does not
            hold them; Cohen's for CIFAR-10 without. For networks that are only centred give ``sds=[1, 1, 1]``.
        precision: what it is to compute in; "bfloat16" is for names that end in "-bf16".

    Raises:
        InputError: no such file, the name is taken, sigma is not above 0, or the data set, the architecture, the
            precision or the number of constants is not right.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"there is no checkpoint {file}")
    if architecture is not None:
        _our_name(architecture)
    data_set = DATA[data]
    for key, values in (("means", means), ("sds", sds)):
        if values is not None:
            _check_constants(key, values, data_set.shape[0])

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
        InputError: the architecture is unknown, or the constants are given and in the checkpoint.
        TargetError: the checkpoint is missing, damaged or of another architecture, or holds more than tensors and
            plain values.
    """
    content = _read(path)
    try:
        named = architecture if architecture is not None else content.get("arch")
        if not isinstance(named, str):
            raise InputError(f"says no architecture; give one of: {', '.join(ARCHITECTURES)}")
        ours = _our_name(named)
        module = ARCHITECTURES[ours](shape, num_classes)
        weights, saved = _parts(content)
        _fill(module, weights, ours)
        _normalise(module, ours, shape[0], saved, {"means": means, "sds": sds})
        if ours in VERSIONS:
            mark(module, VERSIONS[ours])
    except (InputError, TargetError) as error:
        raise type(error)(f"checkpoint {path}: {error}") from error
    return module


def _our_name(architecture: str) -> str:
    name = FIELD.get(architecture, architecture)
    if name not in ARCHITECTURES:
        raise unknown("architecture", architecture, [*ARCHITECTURES, *FIELD])
    return name


def _read(path: Path) -> Mapping[str, Any]:
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise TargetError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    try:
        if path.suffix == ".safetensors":  # what ``benchmark train`` writes
            from safetensors.torch import load

            return {"state_dict": load(packed)}
        content: Mapping[str, Any] = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file, and one more for an unsafe one
        raise TargetError(
            f"checkpoint {path} is damaged, or holds more than tensors and plain values, which alone are loaded (no "
            "code in it is run); save it again with nothing but its arch and state_dict"
        ) from error
    held = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(held, Mapping) or not all(isinstance(tensor, Tensor) for tensor in held.values()):
        raise TargetError(
            f"checkpoint {path} holds no state_dict; "
            'write it by torch.save({"arch": …, "state_dict": model.state_dict()}, …)'
        )
    return content


def _parts(content: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The network's tensors and the normalisation layer's, by their names without prefixes."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in content["state_dict"].items():
        bare = _without_parallel(name)
        layer, dot, inner = bare.partition(".")
        bare = f"{layer}.{_without_parallel(inner)}" if dot else bare
        if bare in tensors:
            raise TargetError(f"{bare!r} is in it twice, with and without DataParallel's prefix")
        tensors[bare] = tensor
    saved = {key: tensors.pop(f"0.{key}") for key in CONSTANTS if f"0.{key}" in tensors}
    if all(name.startswith("1.") for name in tensors):
        tensors = {name.removeprefix("1."): tensor for name, tensor in tensors.items()}
    return tensors, saved


def _without_parallel(name: str) -> str:
    return name.removeprefix("module.")


def _fill(module: nn.Module, weights: Mapping[str, Tensor], architecture: str) -> None:
    """Load ``weights``, which must be all of the architecture's and no others."""
    expected = module.state_dict()
    for name, tensor in expected.items():
        if name not in weights:
            if name.endswith(".num_batches_tracked"):  # which PyTorch before 0.4.1 did not write, and nothing here uses
                continue
            raise TargetError(f"{name!r} of {architecture} is missing; is it of another architecture?")
        if weights[name].shape != tensor.shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(tensor.shape)} as in {architecture}"
            raise TargetError(f"{name!r} has shape {shapes}; is it of another architecture or data set?")
        if not bool(torch.isfinite(weights[name]).all()):
            raise TargetError(f"{name!r} holds NaN or infinite numbers")
    for name in weights:
        if name not in expected:
            raise TargetError(f"{name!r} is no part of {architecture}; is it of another architecture?")
    module.load_state_dict({**expected, **weights})


def _normalise(
    module: nn.Module,
    architecture: str,
    channels: int,
    saved: Mapping[str, Tensor],
    given: Mapping[str, Sequence[float] | None],
) -> None:
    """Put the checkpoint's constants, or those given, in the place of the architecture's own."""
    values = {key: constants for key, constants in given.items() if constants is not None}
    for key, tensor in saved.items():
        if key in values:
            raise InputError(f"it holds its own {key}; leave {key} out")
        values[key] = tensor.flatten().tolist()
        _check_constants(f"0.{key}", values[key], channels)
    if not values:
        return
    own = getattr(module, "normalize", None)
    if not isinstance(own, Normalize):
        raise TargetError(f"{architecture} normalises in a way of its own, so no means and sds can be put into it")
    if "means" in saved and "sds" not in values:
        raise InputError("it holds means and no sds; give sds, [1, 1, 1] for a network that only centres")
    module.normalize = Normalize(
        values.get("means", own.means.flatten().tolist()), values.get("sds", own.deviations.flatten().tolist())
    )


def _check_constants(key: str, values: Sequence[float], channels: int) -> None:
    if len(values) != channels or not all(math.isfinite(value) for value in values):
        raise InputError(f"{key} is {list(values)}; give {channels} numbers, one a channel")
    if key.endswith("sds") and min(values) <= 0:
        raise InputError(f"{key} is {list(values)}; give numbers above 0")
