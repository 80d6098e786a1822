"""Targets from checkpoints in the field's format, that of the code of Cohen et al. 2019 (locuslab/smoothing).

``torch.save({"epoch": …, "arch": "cifar_resnet110", "state_dict": …, "optimizer": …})``, where the state dict is that
of ``Sequential(NormalizeLayer(means, sds), ResNet)``. So its names begin with "1.", and with "1.module." or
"module.1." where the network or the whole ran in ``DataParallel``. The normalisation's constants are not part of
it in the original, and are "0.means" and "0.sds" in forks that register them.

Networks that normalise otherwise are saved under the very same names (those of smoothing-adversarial are partly centred
only), or without a layer for it (MACER's see raw pixels). So the constants are never guessed: they are in the
checkpoint, or given.

A ``.safetensors`` file that ``benchmark train`` wrote is read too.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from targets.data import DATA
from targets.errors import InputError, TargetError
from targets.limits import is_finite
from targets.models import ARCHITECTURES, VERSIONS, Shape
from targets.precision import Precision
from targets.resnet import DEVIATIONS, MEANS, Normalize
from targets.target import register
from targets.weights import mark

FIELD = {"cifar_resnet20": "resnet-20", "cifar_resnet110": "resnet-110"}
"""The field's names of architectures, and ours."""

CONSTANTS = {"means": ("means", "mean"), "sds": ("sds", "std")}
"""What a normalisation layer holds, and what its tensors are called."""

HOLDERS = ("state_dict", "model_state_dict", "net", "model")
"""What a file may call the weights that it holds: Cohen's code the first, MACER's the third."""

INNER = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before the names of a layer that they wrap."""

WRAPPERS = (*INNER, "model.", "net.")
"""What all names of a file may begin with, besides: a class that has the network in an attribute."""

LARGEST_MEAN, LARGEST_SD = 1.0, 5.0
"""Of constants for images in [0, 1]; those for 0 … 255 are larger."""


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
        means, sds: what is subtracted from each channel of an image in [0, 1], and what it is divided by then, before
            the network sees it. Both must be given where neither the checkpoint holds them nor the architecture
            normalises by itself; for networks that are only centred ``sds`` are ``[1, 1, 1]``.
        precision: what it is to compute in; "bfloat16" is for names that end in "-bf16".

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
        InputError: the architecture is unknown, or the constants are given and in the checkpoint, or neither.
        TargetError: the checkpoint is missing, damaged or of another architecture, or holds more than tensors and
            plain values.
    """
    content = _read(path)
    try:
        named = architecture if architecture is not None else content.get("arch")
        if not isinstance(named, str):
            raise InputError(f"says no architecture; give one: {_known()}")
        ours = _our_name(named)
        module = ARCHITECTURES[ours](shape, num_classes)
        weights, saved = _parts(content["state_dict"], set(module.state_dict()))
        _fill(module, weights, ours)
        own = path.suffix == ".safetensors" and set(weights) == set(content["state_dict"])
        note = _normalise(module, ours, shape[0], saved, {"means": means, "sds": sds}, own)
        if ours in VERSIONS:
            mark(module, VERSIONS[ours])
    except (InputError, TargetError) as error:
        raise type(error)(f"checkpoint {path}: {error}") from error
    vars(module)["normalisation"] = note  # no buffer and not in its repr: it is not part of the network's identity
    return module


def _our_name(architecture: str) -> str:
    name = FIELD.get(architecture, architecture)
    if name not in ARCHITECTURES:
        raise InputError(f"unknown architecture {architecture!r}; known: {_known()}")
    return name


def _known() -> str:
    theirs = {ours: name for name, ours in FIELD.items()}
    return ", ".join(f"{name} ({theirs[name]})" if name in theirs else name for name in sorted(ARCHITECTURES))


def _read(path: Path) -> Mapping[str, Any]:
    """The checkpoint's content, its weights under the key "state_dict"."""
    try:
        packed = path.read_bytes()
    except (OSError, ValueError) as error:
        raise TargetError(f"cannot read the checkpoint {path}: {getattr(error, 'strerror', error)}") from error
    try:
        if path.suffix == ".safetensors":  # what ``benchmark train`` writes
            from safetensors.torch import load

            return {"state_dict": load(packed)}
        content: object = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file, and one more for an unsafe one
        raise TargetError(
            f"checkpoint {path} is damaged, or holds more than tensors and plain values, which alone are loaded (no "
            "code in it is run); save it again with nothing but its arch and state_dict"
        ) from error
    if isinstance(content, Mapping):
        if _is_state(content):
            return {"state_dict": content}
        for holder in HOLDERS:
            if _is_state(content.get(holder)):
                _check_only(path, holder, content)
                return {**content, "state_dict": content[holder]}
    keys = ", ".join(map(repr, list(content)[:5])) if isinstance(content, Mapping) else type(content).__name__
    raise TargetError(
        f"checkpoint {path} holds no state_dict of tensors, but {keys or 'nothing'}; "
        'write it by torch.save({"arch": …, "state_dict": model.state_dict()}, …)'
    )


def _is_state(held: object) -> bool:
    if not isinstance(held, Mapping) or not held:
        return False
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in held.items())


def _check_only(path: Path, chosen: str, content: Mapping[Any, Any]) -> None:
    """Raise :class:`TargetError` where the file also holds other weights: averaged ones, or those of another step."""
    weights = _bare(content[chosen])
    for key, held in content.items():
        if key == chosen or not _is_state(held):
            continue
        others = _bare(held)
        if key not in HOLDERS and weights.keys().isdisjoint(others):
            continue  # a layer's constants, say
        if weights.keys() != others.keys() or not all(torch.equal(weights[name], others[name]) for name in weights):
            raise TargetError(
                f"checkpoint {path} holds two sets of weights, {chosen!r} and {key!r}, and does not say which is the "
                'network\'s; write the right one alone by torch.save({"arch": …, "state_dict": …}, …)'
            )


def _bare(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Its tensors by the names that are left when everything is taken off that a wrapper may put before them."""
    bare: dict[str, Tensor] = {}
    for name, tensor in state.items():
        while prefix := next((prefix for prefix in (*WRAPPERS, "1.") if name.startswith(prefix)), ""):
            name = name.removeprefix(prefix)
        bare[name] = tensor
    return bare


def _parts(state: Mapping[str, Tensor], expected: set[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The network's tensors and the normalisation layer's, by their names without prefixes.

    Args:
        expected: the architecture's own names; where the file has exactly those, there is nothing to take off.
    """
    whole = dict(state)
    while set(whole) != expected and (prefix := _common(whole)):
        whole = {name.removeprefix(prefix): tensor for name, tensor in whole.items()}
    if set(whole) == expected:
        return whole, {}
    tensors: dict[str, Tensor] = {}
    for name, tensor in whole.items():
        layer, dot, inner = name.partition(".")
        while prefix := next((prefix for prefix in INNER if inner.startswith(prefix)), ""):
            inner = inner.removeprefix(prefix)
        bare = layer + dot + inner
        if bare in tensors:
            raise TargetError(f"{bare!r} is in it twice, with and without a prefix that DataParallel and the like add")
        tensors[bare] = tensor
    saved = {
        key: tensors.pop(f"0.{name}") for key, names in CONSTANTS.items() for name in names if f"0.{name}" in tensors
    }
    if all(name.startswith("1.") for name in tensors):
        tensors = {name.removeprefix("1."): tensor for name, tensor in tensors.items()}
    return tensors, saved


def _common(state: Mapping[str, Tensor]) -> str:
    """A prefix that all names of the file begin with; "" where there is none."""
    return next((prefix for prefix in WRAPPERS if all(name.startswith(prefix) for name in state)), "")


def _fill(module: nn.Module, weights: Mapping[str, Tensor], architecture: str) -> None:
    """Load ``weights``, which must be all of the architecture's and no others."""
    expected = module.state_dict()
    if strange := _beside(weights, set(expected)):
        raise TargetError(strange.format(architecture))
    for name, tensor in expected.items():
        if name not in weights:
            if name.endswith(".num_batches_tracked"):  # which PyTorch before 0.4.1 did not write, and nothing here uses
                continue
            alike = [found for found in weights if found.endswith(name)] or [n for n in weights if n not in expected]
            found = f"; the file has {alike[0]!r}" if alike else ""
            raise TargetError(f"{name!r} of {architecture} is missing{found}; is it of another architecture?")
        if weights[name].shape != tensor.shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(tensor.shape)} as in {architecture}"
            raise TargetError(f"{name!r} has shape {shapes}; is it of another architecture or data set?")
        if not bool(torch.isfinite(weights[name]).all()):
            raise TargetError(f"{name!r} holds NaN or infinite numbers")
    for name in weights:
        if name not in expected:
            raise TargetError(f"{name!r} is no part of {architecture}; is it of another architecture?")
    module.load_state_dict({**expected, **weights})


def _beside(weights: Mapping[str, Tensor], expected: set[str]) -> str:
    """What to say of a file that has all expected names under one prefix and others that lack it; "" of any other."""
    needed = {name for name in expected if not name.endswith(".num_batches_tracked")}
    first = min(needed)
    for prefix in (found.removesuffix(first) for found in weights if found.endswith(first)):
        others = [name for name in weights if not name.startswith(prefix)]
        if prefix and others and all(prefix + name in weights for name in needed):
            all_there = f"the tensors of {{}} are all there, under {prefix!r}"
            return f"{others[0]!r} is no part of the network: {all_there}; write those alone, without the prefix"
    return ""


def _normalise(
    module: nn.Module,
    architecture: str,
    channels: int,
    saved: Mapping[str, Tensor],
    given: Mapping[str, Sequence[float] | None],
    own: bool,
) -> str:
    """Put the checkpoint's constants, or those given, in the place of the architecture's own.

    Args:
        own: whether it is a file that ``benchmark train`` wrote, whose network saw the architecture's own.

    Returns:
        How images are normalised, in words.
    """
    values = {key: list(constants) for key, constants in given.items() if constants is not None}
    for key, tensor in saved.items():
        if key in values:
            raise InputError(f"it holds its own {key}; leave {key} out")
        values[key] = tensor.flatten().tolist()
        _check_constants(f"0.{key}", values[key], channels)
    normalize = getattr(module, "normalize", None)
    if not isinstance(normalize, Normalize):
        if values:
            raise TargetError(f"{architecture} normalises in a way of its own, so no means and sds can be put into it")
        return f"images are normalised as {architecture} does by itself"
    if not values and own:
        means, sds = normalize.means.flatten().tolist(), normalize.deviations.flatten().tolist()
        return f"images are normalised by {_constants(means, sds)}, as `train` does"
    for key in CONSTANTS:
        if key not in values:
            raise InputError(_unsaid(key, values, saved, channels))
    module.normalize = Normalize(values["means"], values["sds"])
    held = [key for key in CONSTANTS if key in saved]
    source = {0: "as given", 1: f"of which the checkpoint holds the {''.join(held)}", 2: "which the checkpoint holds"}
    return f"images are normalised by {_constants(values['means'], values['sds'])}, {source[len(held)]}"


def _unsaid(key: str, values: Mapping[str, Any], saved: Mapping[str, Tensor], channels: int) -> str:
    """The error for constants that are neither in the checkpoint nor given, with what to paste."""
    if "means" in saved:
        return "it holds means and no sds; give sds, [1, 1, 1] for a network that only centres"
    if "sds" in saved:
        return "it holds sds and no means; give means, [0, 0, 0] for a network that only divides"
    means, sds = list(MEANS), list(DEVIATIONS)
    asked = "it does not say how images are normalised, and a guess may be wrong; give means and sds"
    if values:
        asked = f"{next(iter(values))} are given and no {key}; give both"
    if channels != len(means):
        return f"{asked}, {channels} numbers each (means 0 and sds 1 for a network on raw pixels)"
    return (
        f"{asked}. Networks of Cohen et al. and others with their NormalizeLayer: means = {means}, sds = {sds}; "
        f"with InputCenterLayer (most of smoothing-adversarial): means = {means}, sds = [1, 1, 1]; "
        "on raw pixels (MACER): means = [0, 0, 0], sds = [1, 1, 1]"
    )


def _constants(means: Sequence[float], sds: Sequence[float]) -> str:
    rounded = ([float(f"{value:.6g}") for value in values] for values in (means, sds))
    return "means {} and sds {}".format(*rounded)


def _check_constants(key: str, values: Sequence[float], channels: int) -> None:
    values = list(values)
    if len(values) != channels or not all(map(is_finite, values)):
        raise InputError(f"{key} is {values}; give {channels} numbers, one a channel")
    if key.endswith("sds") and min(values) <= 0:
        raise InputError(f"{key} is {values}; give numbers above 0")
    if max(map(abs, values)) > (LARGEST_SD if key.endswith("sds") else LARGEST_MEAN):
        raise InputError(f"{key} is {values}; give constants for images in [0, 1]: divide those for 0 … 255 by 255")
