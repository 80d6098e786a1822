"""The name that this program was started by."""

from __future__ import annotations

import sys
from pathlib import Path


def program() -> str:
    """The command that started this process, to be shown in help texts."""
    return "abstention-bench" if Path(sys.argv[0]).stem == "abstention-bench" else "python -m benchmark"
