"""The JSON beside a TSV: every setting that can change its rows, where they come from, and a seal on them.

The TSV itself has no place for that, and stays as the field's scripts expect it. The seal tells a table that was edited
from one whose writer was killed: that one has all sealed rows, as they were, and perhaps more after them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leaderboard.stored import atomic
from leaderboard.stored.store import PROJECT
from targets.arithmetic import AS_IS
from targets.errors import InputError


def companion(table: Path) -> Path:
    """``NAME.json`` beside ``NAME.tsv``."""
    return table.with_suffix(".json")


def check(table: Path, lines: Sequence[str], settings: Mapping[str, Any]) -> list[Any]:
    """Whether the rows of ``table`` may be gone on with under ``settings``; writes nothing.

    Args:
        lines: its rows as they stand in the file, in the file's order, without header and line ends.
        settings: what can change a row; JSON-able.

    Returns:
        The facts of those that made the rows (:func:`claim`).

    Raises:
        InputError: the rows were made with other settings or edited, or a file is there that is not one of these.
    """
    path = companion(table)
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
    """Say beside ``table`` how its rows are made, and seal those that it has; :func:`check` comes first.

    Args:
        lines, settings: as for :func:`check`, which says what is raised, too.
        facts: version, commit, device; each set of them that made rows is kept, none is compared. None where no
            row will be made.
    """
    made_by = check(table, lines, settings)
    if facts is not None and facts not in made_by:
        made_by = [*made_by, dict(facts)]
    _write(table, {"project": PROJECT, "settings": dict(settings), "made_by": made_by, "sealed": _seal(lines)})


def seal(table: Path, lines: Sequence[str]) -> None:
    """Seal rows that were added since :func:`claim`. Raises :class:`InputError` where those of then were edited."""
    held = _held(companion(table))
    if held is None:
        raise InputError(f"{companion(table)} was deleted while {table} was written; delete that, too, to begin anew")
    _check_seal(table, lines, held)
    _write(table, {**held, "sealed": _seal(lines)})


def edited(table: Path, what: str) -> InputError:
    """The error for a table that is not as it was written."""
    again = f"delete it and {companion(table).name} to begin anew, or give another --output"
    return InputError(f"{table} was edited since it was written ({what}); {again}")


def _seal(lines: Sequence[str]) -> dict[str, Any]:
    """How many rows, and a digest of them in the order of their text: a table may be put in order after it is sealed,
    and be left as it was by a kill between the two."""
    text = "".join(f"{line}\n" for line in sorted(lines))
    return {"rows": len(lines), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _check_seal(table: Path, lines: Sequence[str], held: Mapping[str, Any]) -> None:
    """Whether the first rows are those that were sealed. Rows after them are a killed writer's; tables of before seals
    were invented have none, and one whose file is gone is begun anew."""
    sealed = held.get("sealed")
    if sealed is None or not table.exists():
        return
    if len(lines) < sealed["rows"]:
        raise edited(table, f"it has {len(lines)} of {sealed['rows']} rows")
    if _seal(lines[: sealed["rows"]]) != sealed:
        raise edited(table, f"its first {sealed['rows']} rows are others")


def _write(table: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
    atomic.write(companion(table), text.encode())


def _held(path: Path) -> dict[str, Any] | None:
    """What a companion says; None where there is none."""
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        sealed = content.get("sealed")
        sound = sealed is None or (isinstance(sealed["rows"], int) and isinstance(sealed["sha256"], str))
        if content["project"] == PROJECT and {*content["settings"]} and isinstance(content["made_by"], list) and sound:
            return content
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # anything that one may have put there
        pass
    raise InputError(f"{path} does not say how a table was made; give another --output, or delete it")


def _difference(name: str, held: Any, wanted: Any) -> str:
    if name == "arithmetic":  # of tables that do not say, the module's own
        return f"arithmetic {held or AS_IS} (not {wanted or AS_IS})"
    if name == "content":
        return "other images or labels" if held else "images and labels that it does not tell from others"
    return "other weights" if name == "weights" else f"{name} {held} (not {wanted})"
