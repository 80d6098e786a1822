"""The engine: a base classifier's answers and gradients, as fast as the machine gives them, in bounded memory.

One arithmetic for a base classifier, see :mod:`targets.arithmetic`. It is compiled once that pays, see
:mod:`targets.compiled`, and the compiled code used only where it gives the same logits bit for bit: so answers depend
neither on whether there is a compiler nor on what went before.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from targets.allocator import keep_freed_memory
from targets.arithmetic import Arithmetic, choose
from targets.compiled import compiled_alike, compiler_present
from targets.errors import TargetError

VALUES = {"cpu": 200 * 3072, "cuda": 4096 * 3072}
"""Values a batch: on a CPU so that a layer of a ResNet-20 stays in its cache (measured, compiled: 200 CIFAR-10 images
at a time are 20 to 40% faster than 400 where the CPU has AMX, and 11% slower where it has AVX-512 only); on a GPU so
that it is busy."""

LARGEST_BATCH = {"cpu": 1000, "cuda": 65_536}

SMALLEST_BATCH = 16
"""CPU kernels take another path, with other rounding, for a handful of rows; smaller batches are padded."""

COMPILE_AFTER = 100
"""Full batches after which compiling has paid for itself: it takes seconds and saves a sixth of each or more."""

KEPT = 3 * 2**30
"""Bytes of activations kept for the backward pass; what comes after is computed again."""

NOT_FINITE = -1
"""Stands for the answer where the logits are not finite."""

CPU = torch.device("cpu")


def batch_size(shape: tuple[int, ...], device: torch.device) -> int:
    """Rows of a full batch for images of ``shape``."""
    kind = "cpu" if device.type == "cpu" else "cuda"
    return max(SMALLEST_BATCH, min(LARGEST_BATCH[kind], VALUES[kind] // math.prod(shape)))


def padded(batch: Tensor) -> Tensor:
    """A copy of a batch (N, C, H, W), with rows of zeros up to :data:`SMALLEST_BATCH`, for a module to write into.

    Many clamp or normalise their input in place. What they are given must be nobody else's: the noise behind a ceiling
    is taken from the samples after the pass, and a pass that ran out of memory is made again. Gradients flow through.
    """
    missing = SMALLEST_BATCH - len(batch)
    return torch.cat([batch, batch.new_zeros((missing, *batch.shape[1:]))]) if missing > 0 else batch.clone()


class Engine:
    """Runs a base classifier over batches of any size.

    Args:
        base_classifier: images (N, C, H, W) float32 → logits (N, K), in evaluation mode, on ``device``. Its weights
            are fixed from the first pass on.
        batch: rows a pass; without, :func:`batch_size` of the first images.
    """

    def __init__(
        self, base_classifier: nn.Module, num_classes: int, batch: int | None = None, device: torch.device = CPU
    ) -> None:
        self.base_classifier = base_classifier
        self.num_classes = num_classes
        self.batch = batch
        self.device = device
        self._passes = 0
        self._fast: Callable[[Tensor], Tensor] | None = None
        self._arithmetic: dict[tuple[int, ...], Arithmetic] = {}
        keep_freed_memory()

    def arithmetic(self, shape: tuple[int, ...]) -> Arithmetic:
        """How images (C, H, W) of ``shape`` are computed, the first and the last alike. Raises :class:`InputError`."""
        if shape not in self._arithmetic:
            self._arithmetic[shape] = choose(self.base_classifier, shape, self.device)
        return self._arithmetic[shape]

    def size(self, shape: tuple[int, ...]) -> int:
        """Rows a pass for images of ``shape``; halved for good where they did not fit in memory."""
        if self.batch is None:
            self.batch = batch_size(shape, self.device)
        return self.batch

    @torch.inference_mode()
    def answers(self, images: Tensor) -> Tensor:
        """The base classifier's answers (N,) int64 to noisy images (N, C, H, W); -1 where a logit is not finite.

        Raises:
            TargetError: the base classifier raises, the logits are not (N, K), or not even a few images fit in memory.
        """
        size = self.size(tuple(images.shape[1:]))
        if len(images) > size:
            return torch.cat([self.answers(part) for part in images.split(size)])
        try:
            logits = self._shaped(self._forward(images), images)
            return torch.where(torch.isfinite(logits).all(1), logits.argmax(1), NOT_FINITE)
        except TargetError:
            raise
        except Exception as error:  # whatever a user's base classifier raises
            if not out_of_memory(error):
                raise TargetError(f"the base classifier failed: {type(error).__name__}: {_line(error)}") from error
        return torch.cat([self.answers(half) for half in self._halves(images)])

    def logits(self, images: Tensor) -> Tensor:
        """Logits (N, K), differentiable with respect to images (N, C, H, W), however many.

        Activations beyond :data:`KEPT` bytes are not kept but computed again in the backward pass.

        Raises:
            TargetError: the logits are not (N, K) finite numbers.
        """
        if len(images) == 0:
            return images.new_zeros((0, self.num_classes))
        parts: list[Tensor] = []
        held = each = 0

        def weigh(tensor: Tensor) -> Tensor:
            nonlocal each
            each += tensor.numel() * tensor.element_size()
            return tensor

        for part in images.split(self.size(tuple(images.shape[1:]))):
            if not torch.is_grad_enabled():
                logits = self._eager(part)
            elif not parts:
                with torch.autograd.graph.saved_tensors_hooks(weigh, lambda tensor: tensor):
                    logits = self._eager(part)
            elif held + each <= KEPT:
                logits = self._eager(part)
            else:
                logits = checkpoint(self._eager, part, use_reentrant=False)
            held += each
            parts.append(finite(self._shaped(logits, part)).clone())  # a module may write all its answers to one place
        return torch.cat(parts)

    def _eager(self, images: Tensor) -> Tensor:
        batch = padded(images)
        logits: Tensor = self.arithmetic(tuple(batch.shape[1:])).module(batch)
        if len(batch) > len(images) and isinstance(logits, Tensor) and logits.ndim and len(logits) == len(batch):
            return logits[: len(images)]
        return logits

    def _forward(self, images: Tensor) -> Tensor:
        arithmetic = self.arithmetic(tuple(images.shape[1:]))
        if len(images) == self.batch and arithmetic.compilable:
            self._passes += 1
            if self._passes == COMPILE_AFTER and len(images) >= SMALLEST_BATCH and compiler_present(self.device):
                self._fast = compiled_alike(arithmetic.module, images)
            if self._fast is not None:
                return self._fast(images)
        return self._eager(images)

    def _shaped(self, logits: object, images: Tensor) -> Tensor:
        if not isinstance(logits, Tensor) or logits.shape != (len(images), self.num_classes):
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise TargetError(
                f"the base classifier returned {shape} for {len(images)} images; "
                f"expected ({len(images)}, {self.num_classes})"
            )
        return logits

    def _halves(self, images: Tensor) -> list[Tensor]:
        half = len(images) // 2
        if half < SMALLEST_BATCH:
            raise TargetError(f"a batch of {len(images)} noisy images does not fit in memory")
        if self.batch is not None and half < self.batch:
            message = f"a batch of {len(images)} noisy images does not fit in memory, going on with {half}"
            warnings.warn(message, stacklevel=2)
            self.batch, self._fast, self._passes = half, None, 0
        return list(images.split(half))


def finite(logits: Tensor) -> Tensor:
    """The logits themselves. Raises :class:`TargetError` where one is NaN or infinite."""
    if not bool(torch.isfinite(logits).all()):
        raise TargetError("the base classifier returned NaN or infinite logits")
    return logits


def out_of_memory(error: BaseException | None) -> bool:
    """Whether a pass failed for want of memory: a smaller one may go through."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
