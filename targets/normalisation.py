"""How a checkpoint's images are normalised: by the constants that it holds, or those given, and never by a guess.

Networks that normalise in different ways are saved under the same names, so the names do not tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from targets.errors import InputError, TargetError
from targets.limits import is_finite
from targets.resnet import DEVIATIONS, MEANS, Normalize
from targets.state_dict import CONSTANTS

LARGEST_MEAN, LARGEST_SD = 1.0, 5.0
"""For images in [0, 1]. Larger constants are those for 0 … 255."""


def normalise(
    module: nn.Module,
    architecture: str,
    channels: int,
    saved: Mapping[str, Tensor],
    given: Mapping[str, Sequence[float] | None],
    own: bool,
) -> str:
    """Replace the architecture's own constants by the checkpoint's, or by those given.

    Args:
        module: the network, whose layer ``normalize`` is replaced.
        saved: the constants that the checkpoint holds.
        given: those that the user gives, by the same names; None where none are.
        own: whether ``benchmark train`` wrote the file. Such a network was trained on the architecture's constants.

    Returns:
        How images are normalised, in words.

    Raises:
        InputError: a constant is both given and saved, neither, or out of range.
        TargetError: constants for an architecture that has no layer for them.
    """
    values = {key: list(constants) for key, constants in given.items() if constants is not None}
    for key, tensor in saved.items():
        if key in values:
            raise InputError(f"it holds its own {key}; leave {key} out")
        values[key] = tensor.flatten().tolist()
        check_constants(f"0.{key}", values[key], channels)
    normalize = getattr(module, "normalize", None)
    if not isinstance(normalize, Normalize):
        if values:
            raise TargetError(f"{architecture} normalises in its own way and takes no means and sds")
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
    """The message for constants that are neither saved nor given. It lists the usual ones to paste."""
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


def check_constants(key: str, values: Sequence[float], channels: int) -> None:
    """Raise :class:`InputError` unless ``values`` are constants for images in [0, 1] of so many channels.

    Args:
        key: "means" or "sds", or a name that ends so.
    """
    values = list(values)
    if len(values) != channels or not all(map(is_finite, values)):
        raise InputError(f"{key} is {values}; give {channels} numbers, one a channel")
    if key.endswith("sds") and min(values) <= 0:
        raise InputError(f"{key} is {values}; give numbers above 0")
    if max(map(abs, values)) > (LARGEST_SD if key.endswith("sds") else LARGEST_MEAN):
        raise InputError(f"{key} is {values}; give constants for images in [0, 1]: divide those for 0 … 255 by 255")
