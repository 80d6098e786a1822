"""The CPU's instructions, as PyTorch reports them."""

from __future__ import annotations

import hashlib
import platform

import torch


def capability() -> str:
    """The widest instructions that PyTorch's own kernels use here, e.g. "AVX2", "AVX512"; "DEFAULT" for none."""
    return str(torch.backends.cpu.get_cpu_capability())


X86 = ("x86_64", "AMD64")


def bfloat16_instructions() -> bool | None:
    """Whether the CPU has bfloat16 instructions that PyTorch may use; None where PyTorch does not tell.

    Without such instructions each bfloat16 operation is emulated, many times slower than its float32 one.
    """
    if platform.machine() not in X86:
        answer: bool | None = _capabilities().get("bf16")
        return answer
    names = [name for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported") if hasattr(torch.cpu, name)]
    if not names:
        return None
    # The second check is of the library for convolutions, which ONEDNN_MAX_CPU_ISA can limit.
    return any(getattr(torch.cpu, name)() for name in names) and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def tag() -> str:
    """A name for the kind of CPU. Code compiled for one kind may fail on another, or give other results."""
    facts = repr((torch.__version__, platform.machine(), platform.processor(), sorted(_capabilities().items())))
    return f"{capability()}-{hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()}"


def _capabilities() -> dict[str, bool]:
    """The CPU's capabilities by name; empty for releases of PyTorch that do not list them."""
    return dict(getattr(torch.cpu, "get_capabilities", dict)())
