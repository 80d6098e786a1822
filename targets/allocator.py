"""The C library's memory, kept between batches."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""glibc's names for the two options of mallopt(3)."""

LAYER = 2**25
"""Bytes: the most that glibc takes as a threshold, and more than any layer of a batch."""

KEPT = 2**30
"""Bytes of freed memory that stay with the process."""


@cache
def keep_freed_memory() -> bool:
    """Have glibc hand a freed layer's memory to the next layer; returns whether it does (once for the process).

    By default it returns each, megabytes large, to the system, which fills it with zeros, page by page, when it is
    asked for again: a compiled pass of a ResNet-20 takes 35% longer so, a gradient 10% (measured on a CPU with AMX).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    return mallopt is not None and bool(mallopt(MMAP_THRESHOLD, LAYER)) and bool(mallopt(TRIM_THRESHOLD, KEPT))
