"""What the CPU can do, as PyTorch tells it."""

from __future__ import annotations

import hashlib
import platform

import torch


def capability() -> str:
    """The widest instructions that PyTorch's own kernels use here, e.g. "AVX2", "AVX512"; "DEFAULT" for none."""
    return str(torch.backends.cpu.get_cpu_capability())


X86 = ("x86_64", "AMD64")


def bfloat16_instructions() -> bool | None:
    """Whether the CPU computes in bfloat16, and is not kept from it; None where PyTorch does not tell.

    Without such instructions each bfloat16 operation is emulated, many times slower than its float32 one.
    """
    if platform.machine() not in X86:
        answer: bool | None = _capabilities().get("bf16")
        return answer
    names = [name for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported") if hasattr(torch.cpu, name)]
    if not names:
        return None
    # The second is of the library that computes the convolutions, which ONEDNN_MAX_CPU_ISA can hold back.
    return any(getattr(torch.cpu, name)() for name in names) and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def tag() -> str:
    """Names a kind of CPU: code compiled for one kind may not run on another, or compute something else."""
    facts = repr((torch.__version__, platform.machine(), platform.processor(), sorted(_capabilities().items())))
    return f"{capability()}-{hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()}"


def _capabilities() -> dict[str, bool]:
    """By name; empty for releases of PyTorch that do not list them."""
    return dict(getattr(torch.cpu, "get_capabilities", dict)())
