"""Files that are either whole or absent, whatever instant the writer dies at."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from leaderboard.errors import StoreError

# Process ids are used again (in a container, at once): this tells our files from those of a dead namesake.
_TOKEN = uuid.uuid4().hex[:8]
_TEMPORARY = re.compile(r"\..+\.(?P<pid>\d+)-(?P<token>[0-9a-f]{8})-[0-9a-f]{8}(-(?P<place>[0-9a-f]{8}))?\.tmp")

FOREIGN = 86_400.0
"""Seconds after which a file of another machine's process is taken for that of a dead one: none writes so long."""


def _here() -> str:
    """Names where process ids mean the same: this machine, or this container."""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    return f"{zlib.crc32(f'{socket.gethostname()} {namespace}'.encode()):08x}"


_PLACE = _here()


def write(path: Path, data: bytes) -> None:
    """Put `data` into `path`: a reader sees the old file or the whole new one, whenever the writer is killed.

    Raises StoreError, one line, where the file cannot be written (disk full, no permission, not a folder).
    """
    with writing(path) as file:
        file.write(data)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """As `write`, with a file to write into bit by bit; an error in between leaves the old file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{_TOKEN}-{uuid.uuid4().hex[:8]}-{_PLACE}.tmp")
    try:
        try:
            with open(temporary, "wb") as file:
                yield file
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
    """Remove the temporary files in `folder` whose writer is gone; those of a living process stay.

    Another machine that shares the folder may be writing, too. Its files stay for a day.
    """
    for file in folder.iterdir():
        match = _TEMPORARY.fullmatch(file.name)
        if match is None:
            continue
        foreign = match["place"] not in (None, _PLACE)
        if _is_recent(file) if foreign else _is_writing(int(match["pid"]), match["token"]):
            continue
        file.unlink(missing_ok=True)


def _is_recent(file: Path) -> bool:
    try:
        return time.time() - file.stat().st_mtime < FOREIGN
    except FileNotFoundError:  # put in its place, or swept by another
        return True


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
    return not _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """Whether a process is dead and only waits for its parent to take note, which may take a while. Linux tells."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2][:1] == "Z"
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    """Make a rename last through power loss; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
