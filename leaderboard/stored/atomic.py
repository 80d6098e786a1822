"""Files that are either whole or absent, whatever instant the writer dies at."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import uuid
from pathlib import Path

from leaderboard.errors import StoreError

# Process ids are used again (in a container, at once): this tells our files from those of a dead namesake.
_TOKEN = uuid.uuid4().hex[:8]
_TEMPORARY = re.compile(r"\..+\.(?P<pid>\d+)-(?P<token>[0-9a-f]{8})-[0-9a-f]{8}\.tmp")


def write(path: Path, data: bytes) -> None:
    """Put `data` into `path`: a reader sees the old file or the whole new one, whenever the writer is killed.

    Raises StoreError, one line, where the file cannot be written (disk full, no permission, not a folder).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{_TOKEN}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:  # Ctrl-C too: leave nothing behind
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(f"cannot write {path}: {reason}; make room or choose another folder") from error


def sweep(folder: Path) -> None:
    """Remove the temporary files in `folder` whose writer is gone; those of a living process stay."""
    for file in folder.iterdir():
        match = _TEMPORARY.fullmatch(file.name)
        if match and not _is_writing(int(match["pid"]), match["token"]):
            file.unlink(missing_ok=True)


def _is_writing(pid: int, token: str) -> bool:
    if pid == os.getpid():
        return token == _TOKEN
    if sys.platform == "win32":  # os.kill(pid, 0) would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename last through power loss; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
