"""The JSON beside a TSV: every setting that can change its rows, and where they come from.

The TSV itself has no place for that, and stays as the field's scripts expect it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leaderboard import atomic
from leaderboard.store import PROJECT
from targets.arithmetic import AS_IS
from targets.errors import InputError


def companion(table: Path) -> Path:
    """``NAME.json`` beside ``NAME.tsv``."""
    return table.with_suffix(".json")


def claim(table: Path, has_rows: bool, settings: Mapping[str, Any], facts: Mapping[str, Any] | None) -> None:
    """Say beside ``table`` how its rows are made; where it has rows, check first that they were made so.

    Args:
        settings: what can change a row; JSON-able.
        facts: version, commit, device; each set of them that made rows is kept, none is compared. None where no
            row will be made.

    Raises:
        InputError: the rows were made with other settings, or a file is there that is not one of these.
    """
    path = companion(table)
    held = _held(path)
    if held is None and table.exists():
        raise InputError(f"{table} exists, and no {path.name} beside it says how it was made; give another --output")
    made_by: list[Any] = []
    if held is not None and has_rows:
        other = [
            _difference(name, held["settings"].get(name), settings.get(name))
            for name in sorted({*settings, *held["settings"]})
            if held["settings"].get(name) != settings.get(name)
        ]
        if other:
            raise InputError(f"{table} was made with {', '.join(other)}; give another --output, or delete it")
        made_by = held["made_by"]
    if facts is not None and facts not in made_by:
        made_by = [*made_by, dict(facts)]
    content = {"project": PROJECT, "settings": dict(settings), "made_by": made_by}
    atomic.write(path, (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode())


def _held(path: Path) -> dict[str, Any] | None:
    """What a companion says; None where there is none."""
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        if content["project"] == PROJECT and {*content["settings"]} and isinstance(content["made_by"], list):
            return content
    except (OSError, ValueError, TypeError, KeyError):  # anything that one may have put there
        pass
    raise InputError(f"{path} does not say how a table was made; give another --output, or delete it")


def _difference(name: str, held: Any, wanted: Any) -> str:
    if name == "arithmetic":  # of tables that do not say, the module's own
        return f"arithmetic {held or AS_IS} (not {wanted or AS_IS})"
    if name == "content":
        return "other images or labels" if held else "images and labels that it does not tell from others"
    return "other weights" if name == "weights" else f"{name} {held} (not {wanted})"
