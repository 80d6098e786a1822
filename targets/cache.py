"""Folders that keep downloads and compiled code between starts."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def cache_folder() -> Path | None:
    """The user's cache folder for this project, which may not exist yet; None for a user without a home."""
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(named or Path.home() / ".cache") / "abstention-bench"
    except RuntimeError:  # no $HOME, and a user id that the system does not know, as in containers
        return None


def compiled_folder() -> Path:
    """The folder for compiled code: in the cache folder, or else a temporary one that is deleted at exit.

    Raises:
        OSError: neither can be written to.
    """
    cache = cache_folder()
    if cache is not None:
        kept = cache / "compiled"
        try:
            kept.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=kept):
                return kept
        except OSError:
            pass  # the home is read-only, full or somebody else's
    temporary = tempfile.mkdtemp(prefix="abstention-bench-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return Path(temporary)
