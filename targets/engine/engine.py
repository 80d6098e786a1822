"""The engine: runs a base classifier for answers and gradients, fast and in bounded memory.

A base classifier has one arithmetic (:mod:`targets.engine.arithmetic`). It is compiled once that pays
(:mod:`targets.engine.compiled`), and compiled code is used only where it gives the same logits bit for bit. So answers
depend neither on a compiler nor on earlier passes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from targets.engine.allocator import keep_freed_memory
from targets.engine.arithmetic import Arithmetic, choose
from targets.engine.compiled import compiled_alike, compiler_present
from targets.errors import TargetError

VALUES = {"cpu": 200 * 3072, "cuda": 4096 * 3072}
"""Values a batch. On a CPU, a layer of a ResNet-20 then stays in its cache: compiled batches of 200 CIFAR-10 images
were measured 20 to 40% faster than batches of 400 with AMX, and 11% slower with AVX-512 only. A GPU is then busy."""

LARGEST_BATCH = {"cpu": 1000, "cuda": 65_536}

SMALLEST_BATCH = 16
"""For a handful of rows, CPU kernels compute and round in another way, so smaller batches are padded."""

COMPILE_AFTER = 100
"""Full batches after which a base classifier is compiled. It takes seconds and saves at least a sixth of each batch."""

KEPT = 3 * 2**30
"""Activations kept for the backward pass, in bytes. Those beyond are computed again."""

NOT_FINITE = -1
"""Stands for an answer whose logits are not finite."""

CPU = torch.device("cpu")


def batch_size(shape: tuple[int, ...], device: torch.device) -> int:
    """Rows of a full batch for images of ``shape`` (C, H, W)."""
    kind = "cpu" if device.type == "cpu" else "cuda"
    return max(SMALLEST_BATCH, min(LARGEST_BATCH[kind], VALUES[kind] // math.prod(shape)))


def padded(batch: Tensor) -> Tensor:
    """A copy of a batch (N, C, H, W), padded with rows of zeros to :data:`SMALLEST_BATCH`. Gradients flow through.

    It is a copy because many modules clamp or normalise their input in place, and the samples are still needed: sums of
    the noise are taken from them after the pass, and a pass that ran out of memory is repeated.
    """
    missing = SMALLEST_BATCH - len(batch)
    return torch.cat([batch, batch.new_zeros((missing, *batch.shape[1:]))]) if missing > 0 else batch.clone()


class Engine:
    """Runs a base classifier over batches of any size.

    Args:
        base_classifier: images (N, C, H, W) float32 → logits (N, K), in evaluation mode, on ``device``. Its weights
            must not change after the first pass.
        num_classes: K.
        batch: rows a pass; None for :func:`batch_size` of the first images.
        device: where the base classifier is.
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
        """The arithmetic for images of ``shape`` (C, H, W), chosen once. Raises :class:`InputError`."""
        if shape not in self._arithmetic:
            self._arithmetic[shape] = choose(self.base_classifier, shape, self.device)
        return self._arithmetic[shape]

    def size(self, shape: tuple[int, ...]) -> int:
        """Rows a pass for images of ``shape``. It is halved for good when a pass does not fit in memory."""
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

        Activations beyond :data:`KEPT` bytes are not kept. The backward pass computes them again.

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
            parts.append(finite(self._shaped(logits, part)).clone())  # a module may reuse its output tensor
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
    """The logits as they are. Raises :class:`TargetError` if one is NaN or infinite."""
    if not bool(torch.isfinite(logits).all()):
        raise TargetError("the base classifier returned NaN or infinite logits")
    return logits


def out_of_memory(error: BaseException | None) -> bool:
    """Whether a pass failed because memory ran out. A smaller one may succeed."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
