"""Digests of what a file held when it was written, so that later changes are noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIELD = "digests"
"""The field of a JSON that holds them. Files of versions before digests have none, and are not refused for that."""


class Changed(ValueError):
    """A file is not what it was when it was written; says in words what differs."""


def of(data: bytes) -> str:
    """The digest of a file's content."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def sealed(content: Mapping[str, Any], **files: bytes) -> dict[str, Any]:
    """A JSON's content with the digests of its parts, and of the `files` that belong to it.

    The digests of files that are not given stay as they are.
    """
    parts = _parts(content)
    held = {name: value for name, value in (content.get(FIELD) or {}).items() if name not in parts}
    return {**content, FIELD: held | {name: of(data) for name, data in files.items()} | parts}


def check(content: Mapping[str, Any]) -> None:
    """Raise `Changed` where a JSON has digests and its parts are not those; ValueError where it is no JSON."""
    parts, held = _parts(content), content.get(FIELD)
    for name, digest in parts.items():
        if held and held.get(name) != digest:
            raise Changed(f"its {name} were edited")


def check_file(content: Mapping[str, Any], name: str, data: bytes) -> None:
    """Raise `Changed` where a JSON has digests and `data` is not the file that it calls `name`."""
    held = content.get(FIELD)
    if held and held.get(name) != of(data):
        raise Changed(f"its {name} are not those that were written with it")


def _parts(content: Mapping[str, Any]) -> dict[str, str]:
    rest = {name: value for name, value in content.items() if name not in ("settings", FIELD)}
    return {"settings": of(_canonical(content.get("settings"))), "other fields": of(_canonical(rest))}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
