"""The JSON file beside a TSV table: settings and origin of its rows, and a seal on them.

The TSV has no place for settings and stays in the format of Cohen's scripts. The seal is a digest of the rows. It tells
an edited table from one whose writer was killed: the latter has all sealed rows unchanged, and perhaps more after them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leaderboard.stored import atomic
from leaderboard.stored.store import PROJECT
from targets.engine.arithmetic import AS_IS
from targets.errors import InputError


def settings_file(table: Path) -> Path:
    """``NAME.json`` beside ``NAME.tsv``."""
    return table.with_suffix(".json")


def check(table: Path, lines: Sequence[str], settings: Mapping[str, Any]) -> list[Any]:
    """Check that more rows may be added to ``table`` under ``settings``. Writes nothing.

    Args:
        lines: the table's rows as text, in the file's order, without header and line ends.
        settings: everything that can change a row; JSON-able.

    Returns:
        The facts of the runs that made the rows (:func:`claim`).

    Raises:
        InputError: the rows were made with other settings or edited, or one of the two files is not ours.
    """
    path = settings_file(table)
    held = _held(path)
    if held is None and table.exists():
        raise InputError(f"{table} exists, and no {path.name} beside it says how it was made; give another --output")
    if held is None:
        return []
    if lines:
        other = [
            _difference(name, held["settings"].get(name), settings.get(name))
            for name in sorted({*settings, *held["settings"]})
            if held["settings"].get(name) != settings.get(name)
        ]
        if other:
            raise InputError(f"{table} was made with {', '.join(other)}; give another --output, or delete it")
    _check_seal(table, lines, held)
    return list(held["made_by"]) if lines else []


def claim(table: Path, lines: Sequence[str], settings: Mapping[str, Any], facts: Mapping[str, Any] | None) -> None:
    """Write beside ``table`` how its rows are made, and seal the rows that it has. Checks them first (:func:`check`).

    Args:
        lines, settings: as for :func:`check`.
        facts: version, commit and device of this run. The facts of every run that made rows are kept; none are
            compared. None if this run will make no row.
    """
    made_by = check(table, lines, settings)
    if facts is not None and facts not in made_by:
        made_by = [*made_by, dict(facts)]
    _write(table, {"project": PROJECT, "settings": dict(settings), "made_by": made_by, "sealed": _seal(lines)})


def seal(table: Path, lines: Sequence[str]) -> None:
    """Seal rows that were added since :func:`claim`. Raises :class:`InputError` if the earlier ones were edited."""
    held = _held(settings_file(table))
    if held is None:
        raise InputError(
            f"{settings_file(table)} was deleted while {table} was written; delete that, too, to start again"
        )
    _check_seal(table, lines, held)
    _write(table, {**held, "sealed": _seal(lines)})


def edited(table: Path, what: str) -> InputError:
    """The error for a table that is not as it was written."""
    again = f"delete it and {settings_file(table).name} to start again, or give another --output"
    return InputError(f"{table} was edited since it was written ({what}); {again}")


def _seal(lines: Sequence[str]) -> dict[str, Any]:
    """The number of rows, and a digest of them that does not depend on their order: a table is sorted after it is
    sealed, unless a kill comes between the two."""
    text = "".join(f"{line}\n" for line in sorted(lines))
    return {"rows": len(lines), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _check_seal(table: Path, lines: Sequence[str], held: Mapping[str, Any]) -> None:
    """Check that the first rows are the sealed ones. Rows after them are a killed writer's. Tables of the first release
    have no seal, and a table whose file is gone starts again."""
    sealed = held.get("sealed")
    if sealed is None or not table.exists():
        return
    if len(lines) < sealed["rows"]:
        raise edited(table, f"it has {len(lines)} of {sealed['rows']} rows")
    if _seal(lines[: sealed["rows"]]) != sealed:
        raise edited(table, f"its first {sealed['rows']} rows are not those that were written")


def _write(table: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
    atomic.write(settings_file(table), text.encode())


def _held(path: Path) -> dict[str, Any] | None:
    """The content of a settings file; None if there is no such file."""
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        sealed = content.get("sealed")
        sound = sealed is None or (isinstance(sealed["rows"], int) and isinstance(sealed["sha256"], str))
        if content["project"] == PROJECT and {*content["settings"]} and isinstance(content["made_by"], list) and sound:
            return content
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # any other file may be there
        pass
    raise InputError(f"{path} does not say how a table was made; give another --output, or delete it")


def _difference(name: str, held: Any, wanted: Any) -> str:
    if name == "arithmetic":  # tables that name none were computed by the module itself
        return f"arithmetic {held or AS_IS} (not {wanted or AS_IS})"
    if name == "content":
        return "other images or labels" if held else "images and labels of which it has no digest"
    return "other weights" if name == "weights" else f"{name} {held} (not {wanted})"
