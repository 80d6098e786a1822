"""Base classifiers compiled (``torch.compile`` with frozen weights), bit for bit the plain ones."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from targets.cache import compiled_folder
from targets.processor import capability, tag

VARIABLE = "ABSTENTION_BENCH_COMPILE"
"""Environment variable: 0 switches the compiler off."""

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
"""Torch's environment variable: the folder that compiled code is kept in."""


WIDTHS = {"AVX2": 256, "AVX512": 512}
"""Bits of a register, by the instructions that PyTorch's own kernels use."""


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

    The compiled code is told to round where the module does (``emulate_precision_casts``, at no cost that could be
    measured). It is kept in the user's cache folder, for each kind of CPU its own, so that the next start only
    loads it: torch does not ask which CPU it was compiled for, and on another it computes nonsense. Where the user
    names a folder, the width of the registers keeps kinds apart.
    """
    plain: Tensor = module(images).clone()  # a module may write all its answers to one place
    options: dict[str, str | int | bool | Callable[..., object]] = {"freezing": True, "emulate_precision_casts": True}
    if images.device.type == "cpu" and capability() in WIDTHS:
        options["cpp.simdlen"] = WIDTHS[capability()]  # torch's default, but named it is in what code is looked up by
    try:
        if not os.environ.get(CACHE_VARIABLE):
            os.environ[CACHE_VARIABLE] = str(compiled_folder() / tag())
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


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
