"""Provenance of a result: versions, commit and device. Recorded with every cell, never part of its key."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from targets.engine.arithmetic import Arithmetic

DISTRIBUTION = "abstention-bench"
PACKAGES = ("torch", "numpy", "scipy", "foolbox", "adversarial-robustness-toolbox")


@cache
def commit() -> str:
    """The commit this package runs from, with "+changes" where the tree differs from it; else its version."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        # Inside another repository, for example in a virtual environment, git would answer with that one's commit.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != here.parent.parent:
            return f"v{version(DISTRIBUTION)}"
        changes = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return f"v{version(DISTRIBUTION)}"


def provenance(device: torch.device, arithmetic: Arithmetic | None = None) -> dict[str, Any]:
    """Versions, commit and device as JSON-able facts, and the arithmetic that a target was computed in."""
    import torch

    from targets.engine.processor import capability

    return {
        "version": version(DISTRIBUTION),
        "commit": commit(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "capability": capability() if device.type == "cpu" else None,
        "threads": torch.get_num_threads(),
        **({} if arithmetic is None else {"arithmetic": arithmetic.name}),
    }


@cache
def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()
