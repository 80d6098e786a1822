"""The plugins of a command: installed ones, and the files that it names."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from benchmark.message import one_line
from benchmark.plugins.loading import load_file, load_installed


def load_plugins(files: Iterable[Path]) -> None:
    """Load every plugin. A bad installed one gets a warning; a bad file raises :class:`InputError`."""
    for problem in load_installed():
        print(f"warning: {one_line(problem)}", file=sys.stderr)
    for path in files:
        load_file(path)
