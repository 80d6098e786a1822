"""The engine: a base classifier's answers and gradients, as fast as the machine gives them, in bounded memory.

A bfloat16 base classifier is compiled (``torch.compile`` with frozen weights) once that pays. The compiled code is
told to round where the module does (``emulate_precision_casts``, at no cost that could be measured) and used only
where it then gives the module's own logits bit for bit: so answers depend neither on whether there is a compiler nor
on what went before. A float32 one is never compiled: compiled code rounds it otherwise.
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

from targets.allocator import keep_freed_memory
from targets.cache import compiled_folder
from targets.errors import TargetError
from targets.precision import Bfloat16

SMALL = 512
"""Values an image, up to which a pass is too short to be worth compiling, cutting or sharing among threads."""

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

VARIABLE = "ABSTENTION_BENCH_COMPILE"
"""Environment variable: 0 switches the compiler off."""

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
"""Torch's environment variable: the folder that compiled code is kept in."""


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
        base_classifier: images (N, C, H, W) float32 → logits (N, K), in evaluation mode, on ``device``.
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
        keep_freed_memory()

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
            if not _out_of_memory(error):
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
            parts.append(finite(self._shaped(logits, part)))
        return torch.cat(parts)

    def _eager(self, images: Tensor) -> Tensor:
        batch = padded(images)
        logits: Tensor = self.base_classifier(batch)
        if len(batch) > len(images) and isinstance(logits, Tensor) and logits.ndim and len(logits) == len(batch):
            return logits[: len(images)]
        return logits

    def _forward(self, images: Tensor) -> Tensor:
        if len(images) == self.batch and isinstance(self.base_classifier, Bfloat16):
            self._passes += 1
            if self._passes == COMPILE_AFTER and self._worth_compiling(images):
                self._fast = compiled_alike(self.base_classifier, images)
            if self._fast is not None:
                return self._fast(images)
        return self._eager(images)

    def _worth_compiling(self, images: Tensor) -> bool:
        large = len(images) >= SMALLEST_BATCH and math.prod(images.shape[1:]) > SMALL
        return large and compiler_present(self.device)

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


def compiler_present(device: torch.device) -> bool:
    """Whether base classifiers can be compiled here, and :data:`VARIABLE` does not forbid it."""
    if os.environ.get(VARIABLE) == "0":
        return False
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        return bool(has_triton())
    return any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "clang++"))


def compiled_alike(module: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor] | None:
    """The module compiled for batches of that size; None, said once, where that fails or changes a single logit.

    What is compiled is kept in the user's cache folder, so that the next start only loads it.
    """
    plain: Tensor = module(images)
    options: dict[str, str | int | bool | Callable[..., object]] = {"freezing": True, "emulate_precision_casts": True}
    try:
        if not os.environ.get(CACHE_VARIABLE):
            os.environ[CACHE_VARIABLE] = str(compiled_folder())
        fast: Callable[[Tensor], Tensor] = torch.compile(module, dynamic=False, options=options)
        alike = torch.equal(fast(images), plain)
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # torch's compiler, the one that it calls, or the folder they write to
        warnings.warn(f"compiling the base classifier failed, going on without: {_line(error)}", stacklevel=2)
        return None
    if not alike:
        warnings.warn(
            "the compiled base classifier rounds otherwise than the plain one, going on without", stacklevel=2
        )
    return fast if alike else None


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.cuda.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
