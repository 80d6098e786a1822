"""In which arithmetic a base classifier is computed here: one for each target, chosen before its first pass.

"as-is": the module itself, as published boards were computed. "folded": a convolutional float32 network for large
images, on a CPU, with batch normalisation folded and channels-last. "rounded": a bfloat16 network where the CPU has no
bfloat16 instructions, in float32 with bfloat16's roundings.

Which it is follows from the module, the shape of its images, the device and :data:`VARIABLE`, and from nothing else:
neither from the number of images nor from whether there is a compiler, since compiled code is used only where it gives
the same bits. So on one machine an answer depends on the noisy image alone; and what an arithmetic other than "as-is"
gave is stored under keys of its own.
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

from targets.errors import InputError
from targets.precision import Bfloat16
from targets.processor import bfloat16_instructions

AS_IS, FOLDED, ROUNDED = "as-is", "folded", "rounded"

VARIABLE = "ABSTENTION_BENCH_ARITHMETIC"
"""Environment variable: "as-is", or "folded" or "rounded" for the base classifiers that it fits."""

SMALL = 512
"""Values an image, up to which a pass is too short to be worth folding, compiling, cutting or sharing among threads."""

PROBES = 4
"""Images on which a rewritten module is compared with its original."""

NEAR = {FOLDED: 1e-3, ROUNDED: 0.1}
"""How far the two's logits may be apart there, relative to the largest: far above rounding, far below a mistake."""


@dataclass(frozen=True)
class Arithmetic:
    """How a base classifier is computed.

    Attributes:
        module: what is run, images (N, C, H, W) float32 → logits (N, K) float32.
        name: "as-is", "folded" or "rounded".
        compilable: whether it may be compiled, where that pays.
    """

    module: nn.Module
    name: str
    compilable: bool

    @property
    def identity(self) -> dict[str, str]:
        """What it adds to the identity of results: nothing where they are computed as published ones are."""
        return {} if self.name == AS_IS else {"arithmetic": self.name}


def elsewhere(identity: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The identities that the same results have on machines with other arithmetics than this one's.

    They are of the same classifier, up to floating-point ties of it.
    """
    plain = {name: value for name, value in identity.items() if name != "arithmetic"}
    found = [{**plain, **own} for own in ({}, {"arithmetic": FOLDED}, {"arithmetic": ROUNDED})]
    return [other for other in found if other != identity]


@torch.inference_mode(False)
def choose(module: nn.Module, shape: tuple[int, ...], device: torch.device) -> Arithmetic:
    """How ``module`` is computed for images (C, H, W) of ``shape`` on ``device``.

    It is computed as it is, which is said, where it cannot be rewritten.

    Raises:
        InputError: :data:`VARIABLE` is set to something else than one of the names.
    """
    large = math.prod(shape) > SMALL
    as_is = Arithmetic(module, AS_IS, large and isinstance(module, Bfloat16))
    wanted = _wanted(module, large, device)
    if wanted == AS_IS:
        return as_is
    try:
        rewritten = _rewritten(module)
        _compare(rewritten, module, shape, wanted)
    except Exception as error:  # tracing runs the module on symbols, and whatever it does with them may raise
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
    from targets.rewritten import Folded, Rounded

    return Rounded(module) if isinstance(module, Bfloat16) else Folded(module)


def _compare(rewritten: nn.Module, module: nn.Module, shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError unless both give nearly the same: a trace keeps one way through a module that has several."""
    generator = torch.Generator().manual_seed(0)
    device = next((tensor.device for tensor in module.parameters()), torch.device("cpu"))
    images = torch.rand(PROBES, *shape, generator=generator).to(device)
    with torch.no_grad():
        found, expected = rewritten(images.clone()), module(images.clone())
    if not isinstance(found, Tensor) or found.shape != expected.shape:
        raise ValueError("it returns something else than logits")
    scale = max(1.0, float(expected.abs().max()))
    if not float((found - expected).abs().max()) <= NEAR[name] * scale:
        raise ValueError("the result computes another function")
