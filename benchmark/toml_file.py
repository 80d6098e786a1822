"""A TOML file as editors write it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from targets.errors import InputError


def read(path: Path) -> dict[str, Any]:
    """What a TOML file says; a byte order mark, as some editors put one before UTF-8, is no part of it.

    Raises:
        InputError: it is not TOML. The message goes on where "FILE is" ends.
    """
    content = path.read_bytes()
    if b"\0" in content:
        raise InputError("not TOML: written in UTF-16, or no text at all; save it as UTF-8")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"not TOML: {error.reason} at byte {error.start}; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML: {error}") from error
