"""The cores and GPUs of this machine that a run may use. Each worker process gets one GPU."""

from __future__ import annotations

import os

import torch


def visible_gpus(device: str) -> list[str]:
    """Values of ``CUDA_VISIBLE_DEVICES`` that each show one GPU; empty where base classifiers are computed on the CPU.

    Args:
        device: as the user named it: "auto", "cpu" or "cuda".
    """
    if device == "cpu":
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()] if torch.cuda.is_available() else []
    return [str(number) for number in range(torch.cuda.device_count())]


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
