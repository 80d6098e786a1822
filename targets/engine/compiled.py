"""Compiled base classifiers (``torch.compile`` with frozen weights) that give the same bits as the plain ones."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from targets.cache import compiled_folder
from targets.engine.processor import capability, tag

VARIABLE = "ABSTENTION_BENCH_COMPILE"
"""Environment variable: 0 switches the compiler off."""

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
"""Torch's environment variable: the folder for compiled code."""


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
    """The module compiled for batches of that size; None, with a warning, where that fails or changes a single logit.

    The compiled code rounds where the module does (``emulate_precision_casts``, which costs no measurable time). It is
    kept in the user's cache folder, so that the next start only loads it. Each kind of CPU has a folder of its own:
    torch does not check which CPU the code was compiled for, and on another kind it gives wrong results. In a folder
    that the user names, the width of the registers keeps the kinds apart.

    Args:
        module: the base classifier, in evaluation mode.
        images: a full batch (N, C, H, W).
    """
    plain: Tensor = module(images).clone()  # a module may reuse its output tensor
    options: dict[str, str | int | bool | Callable[..., object]] = {"freezing": True, "emulate_precision_casts": True}
    if images.device.type == "cpu" and capability() in WIDTHS:
        options["cpp.simdlen"] = WIDTHS[capability()]  # torch's default, named here so that the code's key holds it
    try:
        if not os.environ.get(CACHE_VARIABLE):
            os.environ[CACHE_VARIABLE] = str(compiled_folder() / tag())
        fast: Callable[[Tensor], Tensor] = torch.compile(module, dynamic=False, options=options)
        alike = torch.equal(fast(images), plain)
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # torch's compiler, the compiler that it calls, or their folder
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
