"""Where downloads and compiled code are kept between starts."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def cache_folder() -> Path | None:
    """The user's cache folder of this project, which need not exist yet; None for a user without a home."""
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(named or Path.home() / ".cache") / "abstention-bench"
    except RuntimeError:  # a user id that the system does not know, as containers have it, and no $HOME
        return None


def compiled_folder() -> Path:
    """Where compiled code is kept: in the cache folder, else in a temporary one, which goes when the program ends.

    Raises:
        OSError: nothing can be written in either.
    """
    cache = cache_folder()
    if cache is not None:
        kept = cache / "compiled"
        try:
            kept.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=kept):
                return kept
        except OSError:
            pass  # a home that is read-only, full or another's
    temporary = tempfile.mkdtemp(prefix="abstention-bench-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return Path(temporary)
