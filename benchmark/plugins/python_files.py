"""The Python files below a plugin's folder."""

from __future__ import annotations

import os
from pathlib import Path

from targets.errors import InputError

MOST_FILES = 2000
"""Most Python files below a plugin's folder. If there are more, the plugin has no folder of its own."""

MOST_FOLDERS = 20_000

INSTALLED = {"site-packages", "dist-packages"}
LEFT_OUT = {*INSTALLED, "__pycache__", "node_modules"}
"""Folders that hold no code of a plugin, beside hidden ones, virtual environments and results."""


def python_files(top: Path) -> list[Path]:
    """Python files in a folder and below, sorted, without results, environments and caches.

    Raises:
        InputError: there are too many for one plugin.
    """
    found: list[Path] = []
    seen: set[str] = set()
    if INSTALLED & {top.name}:  # of modules that lie there on their own, as of many distributions
        return sorted(top.glob("*.py"))
    for place, folders, files in os.walk(top, followlinks=True):
        real = os.path.realpath(place)
        if real in seen or (place != str(top) and {"store.json", "pyvenv.cfg"} & set(files)):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in LEFT_OUT)
        found += (Path(place, name) for name in files if name.endswith(".py"))
        if len(found) > MOST_FILES or len(seen) > MOST_FOLDERS:
            raise InputError(
                f"it imports modules or runs files by names that it computes, and {top} has more than "
                f"{MOST_FILES:,} Python files or {MOST_FOLDERS:,} folders below it; put it into a folder of its own"
            )
    return sorted(found)
