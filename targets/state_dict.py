"""State dicts put into an architecture, whatever wrapped the network that they were saved from.

DataParallel, torch.compile and classes that hold the network in an attribute put a prefix before each name. A
normalisation layer in front makes the names begin with "1.", and may be saved itself as "0.means" and "0.sds".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from targets.errors import TargetError

CONSTANTS = {"means": ("means", "mean"), "sds": ("sds", "std")}
"""The constants of a normalisation layer, and the names that files give them."""

INNER = ("module.", "_orig_mod.")
"""Prefixes that DataParallel and torch.compile put before the names of the layer that they wrap."""

WRAPPERS = (*INNER, "model.", "net.")
"""Prefixes that all names of a file may share: the two above, and attributes of a class that holds the network."""

OWN = "a network of your own is registered in a Python file: docs/add-a-target.md"
"""What to do with weights of none of the known architectures."""

OTHER = f"is it of another architecture? ({OWN})"


def bare(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by their names without any prefix of a wrapper."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in state.items():
        while prefix := next((prefix for prefix in (*WRAPPERS, "1.") if name.startswith(prefix)), ""):
            name = name.removeprefix(prefix)
        tensors[name] = tensor
    return tensors


def parts(state: Mapping[str, Tensor], expected: set[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Split a state dict into the network's tensors and the normalisation layer's, by names without prefixes.

    Args:
        state: as it was saved.
        expected: the architecture's own names. No prefix is taken off a file that has exactly those.

    Returns:
        The network's tensors, and those of :data:`CONSTANTS` that the file holds.

    Raises:
        TargetError: two names are the same without their prefixes.
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
        short = layer + dot + inner
        if short in tensors:
            raise TargetError(f"{short!r} is in it twice, with and without a prefix that DataParallel and the like add")
        tensors[short] = tensor
    saved = {
        key: tensors.pop(f"0.{name}") for key, names in CONSTANTS.items() for name in names if f"0.{name}" in tensors
    }
    if all(name.startswith("1.") for name in tensors):
        tensors = {name.removeprefix("1."): tensor for name, tensor in tensors.items()}
    return tensors, saved


def _common(state: Mapping[str, Tensor]) -> str:
    """The prefix that all names of the file share; "" where there is none."""
    return next((prefix for prefix in WRAPPERS if all(name.startswith(prefix) for name in state)), "")


def fill(module: nn.Module, weights: Mapping[str, Tensor], architecture: str) -> None:
    """Load ``weights`` into ``module``.

    Raises:
        TargetError: a tensor is missing, left over, of another shape or not finite.
    """
    expected = module.state_dict()
    if strange := _beside(weights, set(expected)):
        raise TargetError(strange.format(architecture))
    for name, tensor in expected.items():
        if name not in weights:
            if name.endswith(".num_batches_tracked"):  # which PyTorch before 0.4.1 did not write, and nothing here uses
                continue
            alike = [found for found in weights if found.endswith(name)] or [n for n in weights if n not in expected]
            found = f"; the file has {alike[0]!r}" if alike else ""
            raise TargetError(f"{name!r} of {architecture} is missing{found}; {OTHER}")
        if weights[name].shape != tensor.shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(tensor.shape)} as in {architecture}"
            raise TargetError(f"{name!r} has shape {shapes}; is it of another architecture or data set?")
        if not bool(torch.isfinite(weights[name]).all()):
            raise TargetError(f"{name!r} holds NaN or infinite numbers")
    for name in weights:
        if name not in expected:
            raise TargetError(f"{name!r} is no part of {architecture}; {OTHER}")
    module.load_state_dict({**expected, **weights})


def _beside(weights: Mapping[str, Tensor], expected: set[str]) -> str:
    """The message for a file that holds the whole network under one prefix and other tensors beside it; else ""."""
    needed = {name for name in expected if not name.endswith(".num_batches_tracked")}
    first = min(needed)
    for prefix in (found.removesuffix(first) for found in weights if found.endswith(first)):
        others = [name for name in weights if not name.startswith(prefix)]
        if prefix and others and all(prefix + name in weights for name in needed):
            all_there = f"the tensors of {{}} are all there, under {prefix!r}"
            return f"{others[0]!r} is no part of the network: {all_there}; write those alone, without the prefix"
    return ""
