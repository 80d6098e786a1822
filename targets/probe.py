"""Checks when a target is loaded: its base classifier's answer to an image must depend on that image alone.

PREDICT counts independent answers f(x + ε), each a function of its own noisy image. A network that normalises with the
statistics of its batch, drops units at random or keeps a state between calls breaks that. Its votes change with the
batch size and from run to run, and neither certificates nor ceilings hold for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from targets.engine.engine import SMALLEST_BATCH, finite, out_of_memory
from targets.errors import TargetError
from targets.isolation import isolated
from targets.noise import keyed_generator

if TYPE_CHECKING:
    from targets.smoothing import SmoothedClassifier

NEIGHBOURS = 12
"""Rows of zeros beside which images are shown again. They differ from noisy images, so batch statistics change. Small
batches are padded with them anyway."""

TOLERANCE = {"run": 1e-3, "batch": 1e-2}
"""Differences up to these count as rounding, relative to the largest logit. "run": the same batch again, which rounds
alike. "batch": another batch, which may round otherwise (1e-6 to 1e-4 in float32). Real faults are ten times larger."""

COARSE = 5e-2
"""The same for arithmetic of 8 to 11 bits."""

MOST_ROWS = 0.25
"""Share of rows that may differ. In a network that rounds inside, the processor's rounding may flip a single image."""


def probe(target: SmoothedClassifier, shape: Sequence[int]) -> None:
    """Run a target's base classifier on some noisy images: twice, beside other images, and across a full batch.

    Args:
        shape: (C, H, W). The images are random, so no data set is needed.

    Raises:
        TargetError: it raises, its logits are not (N, K) finite floating numbers, or they depend on the batch or on
            earlier calls.
    """
    generator = keyed_generator("probe")
    noise = generator.standard_normal((SMALLEST_BATCH, *shape), dtype=np.float32)
    images = torch.from_numpy(generator.random(noise.shape, dtype=np.float32) + np.float32(target.sigma) * noise)
    half = images[: SMALLEST_BATCH // 2].flip(0)
    company = torch.cat([torch.zeros_like(images[:1]).expand(NEIGHBOURS, *shape), half])
    with isolated():
        first, again, elsewhere = (_logits(target, batch) for batch in (images, images, company))
        crowd = _in_full_batch(target, images.flip(0))
    if _differ(first, again, "run"):
        raise TargetError(
            f"the base classifier of target {target.name!r} gives other logits for the same images when it is called "
            "again (dropout or noise in forward, or state that it keeps?); PREDICT needs a fixed function: use modules "
            "that .eval() switches off"
        )
    if _differ(first[: len(half)].flip(0), elsewhere[NEIGHBOURS:], "batch") or _differ(first.flip(0), crowd, "batch"):
        raise TargetError(
            f"the logits that the base classifier of target {target.name!r} gives an image depend on the rest of its "
            "batch (batch statistics in forward, track_running_stats=False?); PREDICT needs a function of the image: "
            "keep running statistics, or normalise image by image"
        )


def _in_full_batch(target: SmoothedClassifier, images: Tensor) -> Tensor:
    """Logits (N, K) of images (N, C, H, W) that are spread over a batch as large as PREDICT's."""
    rows = max(len(images), target.engine.size(tuple(images.shape[1:])))
    while True:
        places = torch.linspace(0, rows - 1, len(images)).round().long()
        batch = images.new_zeros((rows, *images.shape[1:]))
        batch[places] = images
        try:
            return _logits(target, batch)[places.to(target.device)]
        except TargetError as error:
            if not out_of_memory(error.__cause__) or rows == len(images):
                raise
            rows = max(len(images), rows // 2)  # PREDICT's batches will shrink likewise


def _logits(target: SmoothedClassifier, batch: Tensor) -> Tensor:
    """The logits of a batch. Batch and logits are copies, so that the base classifier may write into both later."""
    try:
        with torch.no_grad():
            logits: object = target.base_classifier(batch.clone().to(target.device))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a user's base classifier raises
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise TargetError(
            f"the base classifier of target {target.name!r} fails on images of shape {tuple(batch.shape)}: {reason}"
        ) from error
    expected = (len(batch), target.num_classes)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != expected or not logits.is_floating_point():
        found = (
            f"{logits.dtype} of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        )
        raise TargetError(
            f"the base classifier of target {target.name!r} returns {found.removeprefix('torch.')} for {len(batch)} "
            f"images; give floating logits of shape {expected}, one column a class of {target.data or 'its data'}"
        )
    try:
        return finite(logits).clone()
    except TargetError as error:
        raise TargetError(f"target {target.name!r}: {error}") from error


def _differ(one: Tensor, other: Tensor, how: str) -> bool:
    """Whether two sets of logits (N, K) of the same images differ for more than a few images."""
    tolerance = max(TOLERANCE[how], COARSE if _coarse(one) else 0.0)
    one, other = one.double(), other.double()
    apart = (one - other).abs().amax(1) > tolerance * one.abs().max()
    return float(apart.double().mean()) >= MOST_ROWS


def _coarse(logits: Tensor) -> bool:
    """Whether logits come from arithmetic of few bits, whatever type stores them."""
    return any(torch.equal(logits, logits.to(kind).to(logits.dtype)) for kind in (torch.bfloat16, torch.float16))
