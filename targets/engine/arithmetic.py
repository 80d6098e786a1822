"""The arithmetic in which a base classifier is computed: chosen once for each target, before its first pass.

"as-is": the module itself, as published boards were computed. "folded": a convolutional float32 network for large
images, on a CPU, with batch normalisation folded and channels-last. "rounded": a bfloat16 network where the CPU has no
bfloat16 instructions, in float32 with bfloat16's roundings.

The choice depends only on the module, the shape of its images, the device and :data:`VARIABLE`. It does not depend on
the number of images. Nor does it depend on a compiler, since compiled code is used only where it gives the same bits.
So on one machine an answer depends on the noisy image alone. Results of an arithmetic other than "as-is" have keys of
their own.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from targets.engine.processor import bfloat16_instructions
from targets.errors import InputError
from targets.precision import Bfloat16

AS_IS, FOLDED, ROUNDED = "as-is", "folded", "rounded"

VARIABLE = "ABSTENTION_BENCH_ARITHMETIC"
"""Environment variable: "as-is", or "folded" or "rounded", which apply to the base classifiers that they fit."""

SMALL = 512
"""Values an image. Up to so many, a pass is too short to gain from folding, compiling, splitting or threads."""

PROBES = 4
"""Images on which a rewritten module is compared with its original."""

NEAR = {FOLDED: 1e-3, ROUNDED: 0.1}
"""Largest difference of their logits, relative to the largest logit: far above rounding, far below an error."""


@dataclass(frozen=True)
class Arithmetic:
    """How a base classifier is computed.

    Attributes:
        module: the module that runs: images (N, C, H, W) float32 → logits (N, K) float32.
        name: "as-is", "folded" or "rounded".
        compilable: whether it may be compiled, where that pays.
    """

    module: nn.Module
    name: str
    compilable: bool

    @property
    def identity(self) -> dict[str, str]:
        """Its part of the identity of results; empty for "as-is", as for published results."""
        return {} if self.name == AS_IS else {"arithmetic": self.name}


def elsewhere(identity: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The identities of the same results on machines that use another arithmetic.

    Those results are of the same classifier, up to floating-point ties.

    Args:
        identity: of a result on this machine.
    """
    plain = {name: value for name, value in identity.items() if name != "arithmetic"}
    found = [{**plain, **own} for own in ({}, {"arithmetic": FOLDED}, {"arithmetic": ROUNDED})]
    return [other for other in found if other != identity]


@torch.inference_mode(False)
def choose(module: nn.Module, shape: tuple[int, ...], device: torch.device) -> Arithmetic:
    """How ``module`` is computed for images of ``shape`` (C, H, W) on ``device``.

    A module that cannot be rewritten is computed as it is, with a warning.

    Raises:
        InputError: :data:`VARIABLE` is set to something other than one of the names.
    """
    large = math.prod(shape) > SMALL
    as_is = Arithmetic(module, AS_IS, large and isinstance(module, Bfloat16))
    wanted = _wanted(module, large, device)
    if wanted == AS_IS:
        return as_is
    try:
        rewritten = _rewritten(module)
        _compare(rewritten, module, shape, wanted)
    except Exception as error:  # tracing runs the module on symbols, which may raise anything
        lines = str(error).strip().splitlines() or [type(error).__name__]
        message = f"the base classifier is computed as it is, which is slower, since it cannot be rewritten: {lines[0]}"
        warnings.warn(message, stacklevel=2)
        return as_is
    return Arithmetic(rewritten, wanted, large)


def _wanted(module: nn.Module, large: bool, device: torch.device) -> str:
    fitting = ROUNDED if isinstance(module, Bfloat16) else FOLDED
    forced = os.environ.get(VARIABLE) or None
    if forced not in (None, AS_IS, FOLDED, ROUNDED):
        raise InputError(f"{VARIABLE} is {forced!r}; set it to {AS_IS}, {FOLDED} or {ROUNDED}, or to nothing")
    if forced in (AS_IS, fitting):
        return forced
    if device.type != "cpu":
        return AS_IS
    if fitting == FOLDED:
        gains = large and any(isinstance(part, nn.Conv2d) for part in module.modules())
    else:
        gains = bfloat16_instructions() is False
    return fitting if gains else AS_IS


def _rewritten(module: nn.Module) -> nn.Module:
    # Here, since torch.fx takes a while to import and most commands on small images do without.
    from targets.engine.rewritten import Folded, Rounded

    return Rounded(module) if isinstance(module, Bfloat16) else Folded(module)


def _compare(rewritten: nn.Module, module: nn.Module, shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError unless both give nearly the same: tracing follows one branch of a module that has several."""
    generator = torch.Generator().manual_seed(0)
    device = next((tensor.device for tensor in module.parameters()), torch.device("cpu"))
    images = torch.rand(PROBES, *shape, generator=generator).to(device)
    with torch.no_grad():
        found, expected = rewritten(images.clone()), module(images.clone())
    if not isinstance(found, Tensor) or found.shape != expected.shape:
        raise ValueError("it does not return logits")
    scale = max(1.0, float(expected.abs().max()))
    if not float((found - expected).abs().max()) <= NEAR[name] * scale:
        raise ValueError("the result computes another function")
