"""The engine: a base classifier's answers and gradients, as fast as the machine gives them, in bounded memory.

Batches of one fixed size are compiled (``torch.compile`` with frozen weights) once that pays; other sizes run as they
are. The compiled code rounds where the module itself would (``emulate_precision_casts``), which costs 3% and
makes a bfloat16 base classifier's answers the same, bit for bit, with and without a compiler.
"""

from __future__ import annotations

import math
import os
import shutil
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from targets.cache import cache_folder
from targets.errors import TargetError

SMALL = 512
"""Values an image, up to which a pass is too short to be worth compiling, cutting or sharing among threads."""

VALUES = {"cpu": 400 * 3072, "cuda": 4096 * 3072}
"""Values a batch: on a CPU so that two layers of a ResNet-20 stay in its cache (measured: 400 CIFAR-10 images are
12% faster than 200 and 37% faster than 1,000); on a GPU so that it is busy."""

LARGEST_BATCH = {"cpu": 1000, "cuda": 65_536}

SMALLEST_BATCH = 16
"""CPU kernels take another path, with other rounding, for a handful of rows; smaller batches are padded."""

COMPILE_AFTER = 100
"""Full batches after which compiling has paid for itself: it takes seconds and saves about a third of each."""

KEPT = 4096 * 3072
"""Values of noisy images whose activations are kept for the backward pass (about 0.2 kB each in a ResNet-20 in
bfloat16); those of further ones are computed again."""

VARIABLE = "ABSTENTION_BENCH_COMPILE"
"""Environment variable: 0 switches the compiler off."""


def batch_size(shape: tuple[int, ...], device: torch.device) -> int:
    """Rows of a full batch for images of ``shape``."""
    kind = "cpu" if device.type == "cpu" else "cuda"
    return max(SMALLEST_BATCH, min(LARGEST_BATCH[kind], VALUES[kind] // math.prod(shape)))


def padded(batch: Tensor) -> Tensor:
    """A batch (N, C, H, W) with rows of zeros up to :data:`SMALLEST_BATCH`."""
    missing = SMALLEST_BATCH - len(batch)
    return torch.cat([batch, batch.new_zeros((missing, *batch.shape[1:]))]) if missing > 0 else batch


class Engine:
    """Runs a base classifier over batches of any size.

    Args:
        base_classifier: images (N, C, H, W) float32 → logits (N, K), in evaluation mode.
        batch: rows a pass; without, :func:`batch_size` of the first images.
    """

    def __init__(self, base_classifier: nn.Module, num_classes: int, batch: int | None = None) -> None:
        self.base_classifier = base_classifier
        self.num_classes = num_classes
        self.batch = batch
        self._passes = 0
        self._fast: Callable[[Tensor], Tensor] | None = None

    def size(self, shape: tuple[int, ...], device: torch.device) -> int:
        """Rows a pass for images of ``shape``; halved for good where they did not fit in memory."""
        if self.batch is None:
            self.batch = batch_size(shape, device)
        return self.batch

    @torch.inference_mode()
    def answers(self, images: Tensor) -> Tensor:
        """The base classifier's answers (N,) int64 to noisy images (N, C, H, W).

        Raises:
            TargetError: the logits are not (N, K) finite numbers, or not even a few images fit in memory.
        """
        size = self.size(tuple(images.shape[1:]), images.device)
        if len(images) > size:
            return torch.cat([self.answers(part) for part in images.split(size)])
        try:
            return self._checked(self._forward(images), images).argmax(1)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
        return torch.cat([self.answers(half) for half in self._halves(images)])

    def logits(self, images: Tensor) -> Tensor:
        """Logits (N, K), differentiable with respect to images (N, C, H, W), however many.

        Raises:
            TargetError: as :meth:`answers`.
        """
        size = self.size(tuple(images.shape[1:]), images.device)
        kept = KEPT // math.prod(images.shape[1:])
        parts = []
        for begin in range(0, len(images), size):
            part = images[begin : begin + size]
            again = torch.is_grad_enabled() and begin + len(part) > kept
            logits = checkpoint(self._eager, part, use_reentrant=False) if again else self._eager(part)
            parts.append(self._checked(logits, part))
        return torch.cat(parts) if parts else images.new_zeros((0, self.num_classes))

    def _eager(self, images: Tensor) -> Tensor:
        logits: Tensor = self.base_classifier(padded(images))
        return logits[: len(images)] if isinstance(logits, Tensor) and len(logits) > len(images) else logits

    def _forward(self, images: Tensor) -> Tensor:
        if len(images) != self.batch or math.prod(images.shape[1:]) <= SMALL:
            return self._eager(images)
        self._passes += 1
        if self._passes == COMPILE_AFTER and compiler_present(images.device):
            self._fast = compiled(self.base_classifier)
        if self._fast is None:
            return self._eager(images)
        try:
            return self._fast(images)
        except RuntimeError as error:  # what torch raises where its compiler, or the one it calls, fails
            if _out_of_memory(error):
                raise
            warnings.warn(f"compiling the base classifier failed, going on without: {_line(error)}", stacklevel=2)
            self._fast = None
            return self._eager(images)

    def _checked(self, logits: Tensor, images: Tensor) -> Tensor:
        if not isinstance(logits, Tensor) or logits.shape != (len(images), self.num_classes):
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise TargetError(
                f"the base classifier returned {shape} for {len(images)} images; "
                f"expected ({len(images)}, {self.num_classes})"
            )
        if not bool(torch.isfinite(logits).all()):
            raise TargetError("the base classifier returned NaN or infinite logits")
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


def compiler_present(device: torch.device) -> bool:
    """Whether base classifiers can be compiled here, and :data:`VARIABLE` does not forbid it."""
    if os.environ.get(VARIABLE) == "0":
        return False
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        return bool(has_triton())
    return any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "clang++"))


def compiled(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """The module compiled for inference on batches of one size; the code is kept for the next start."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "compiled"))
    options: dict[str, str | int | bool | Callable[..., object]] = {"freezing": True, "emulate_precision_casts": True}
    fast: Callable[[Tensor], Tensor] = torch.compile(module, dynamic=False, options=options)
    return fast


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
