"""Targets described in TOML: a checkpoint in the format of Cohen's code, its σ and its data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark import toml_file
from targets import InputError, register_checkpoint
from targets.limits import is_number
from targets.registry import unknown

NEEDED = {"checkpoint": "a file", "sigma": "a number"}
KINDS = {
    **NEEDED,
    "data": "a text",
    "architecture": "a text",
    "means": "a list of numbers",
    "sds": "a list of numbers",
    "precision": "a text",
}
"""Every key of a target's table, and the type of its value."""


def register_targets(path: Path) -> None:
    """Register each target that a file's ``[targets.NAME]`` tables describe.

    Raises:
        InputError: not readable, not TOML, an unknown or missing key, a value of the wrong type, or what
            :func:`targets.register_checkpoint` refuses.
    """
    content = toml_file.read(path)
    for key in content:
        if key != "targets":
            raise unknown("key", key, ["targets"])
    tables = content.get("targets", {})
    if not isinstance(tables, dict) or not tables:
        raise InputError("it names no target; begin with [targets.its-name]")
    for name, table in tables.items():
        register_checkpoint(name, **_arguments(name, table, path.parent))


def _arguments(name: str, table: Any, folder: Path) -> dict[str, Any]:
    """What :func:`targets.register_checkpoint` is called with for one table."""
    if not isinstance(table, dict):
        raise InputError(f"targets.{name} is {table!r}; give a table: [targets.{name}]")
    for key, value in table.items():
        if isinstance(value, dict):  # [targets.mine-sigma0.50] without quotes is a nested table
            raise InputError(f'a name with a dot in it needs quotes: [targets."{name}.{key}"]')
        if key not in KINDS:
            raise unknown(f"key of target {name!r}:", key, KINDS)
        if not _fits(key, value):
            raise InputError(f"{key} of target {name!r} is {value!r}; give {KINDS[key]}")
    for key, kind in NEEDED.items():
        if key not in table:
            raise InputError(f"target {name!r} has no {key}; give {kind}")
    arguments = {key: value for key, value in table.items() if key != "checkpoint"}
    return {**arguments, "path": folder / table["checkpoint"]}


def _fits(key: str, value: Any) -> bool:
    if KINDS[key] == "a number":
        return is_number(value)
    if KINDS[key] == "a list of numbers":
        return isinstance(value, list) and all(map(is_number, value))
    return isinstance(value, str)
