"""Suites by name or from TOML files, which may extend one another."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from benchmark import toml_file
from benchmark.suite import Suite, check_type
from targets import InputError
from targets.registry import unknown

FOLDER = Path(__file__).parent / "suites"
DEFAULT = "digits"

EXTENDS = "extends"
"""The key of a suite file that names another suite, whose keys hold where this file says nothing."""


def suite_names() -> list[str]:
    """The suites that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_suite(name: str) -> Suite:
    """The suite of that name, or of that TOML file.

    Raises:
        InputError: there is no such suite or file, it is not TOML, it extends no suite or itself, or it has unknown
            keys or values of the wrong type.
    """
    path = _path(name, Path())
    suite = from_table(_table(path, ()), default_name=path.stem)
    if path.resolve().parent != FOLDER.resolve() and suite.name in suite_names():
        raise InputError(f"{path.name} is named as the suite {suite.name!r}, with whose board it would mix; rename it")
    return suite


def idle_settings(name: str, run: Collection[str]) -> list[str]:
    """Attacks that a file of the user's has settings for, and that neither its suite nor the run has.

    Args:
        name: of a suite, or its file, which :func:`load_suite` takes. Settings that it inherits do not count.
        run: the attacks that are run.
    """
    path = _path(name, Path())
    if path.resolve().parent == FOLDER.resolve():
        return []
    own, patterns = toml_file.read(path).get("settings", {}), load_suite(name).attacks
    return [attack for attack in own if attack not in run and not any(fnmatchcase(attack, p) for p in patterns)]


def from_table(table: Mapping[str, Any], default_name: str) -> Suite:
    """A suite from parsed TOML. Raises :class:`InputError` for unknown keys and wrong types."""
    defaults = Suite(name=default_name)
    known = [field.name for field in dataclasses.fields(Suite)]
    values: dict[str, Any] = {"name": default_name}
    for key, value in table.items():
        if key not in known:
            raise unknown("suite key", key, [*known, EXTENDS])
        example = getattr(defaults, key)
        if isinstance(example, tuple):
            if not isinstance(value, list):
                raise InputError(f"{key} is {value!r}; give a list")
            for item in value:
                check_type(key, item, {"epsilons": 1.0, "query_budgets": 1}.get(key, ""))
            value = tuple(float(v) for v in value) if key == "epsilons" else tuple(value)
        elif isinstance(example, Mapping):
            if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
                raise InputError(f"{key} must be tables, one an attack: [settings.margin]")
        else:
            check_type(key, value, example)
        values[key] = value
    return Suite(**values)


def _path(name: str, folder: Path) -> Path:
    """The file of a suite, by its name or by a path relative to ``folder``."""
    if name.endswith(".toml") or "/" in name:
        if not toml_file.exists(folder / name):
            raise InputError(f"there is no suite file {name}; give a TOML file or one of: {', '.join(suite_names())}")
        return folder / name
    if name in suite_names():
        return FOLDER / f"{name}.toml"
    raise unknown("suite", name, suite_names())


def _table(path: Path, extending: tuple[Path, ...]) -> dict[str, Any]:
    """A file's table over that of the suite which it extends.

    Args:
        extending: the files that led here, each extending the next.
    """
    chain = (*extending, path.resolve())
    try:
        if chain[-1] in extending:
            raise InputError(f"it extends itself ({' → '.join(file.name for file in chain)}); end the circle")
        table = toml_file.read(path)
        if EXTENDS not in table:
            return table
        parent = table.pop(EXTENDS)
        if not isinstance(parent, str):
            raise InputError(f"{EXTENDS} is {parent!r}; give the name of a suite or a TOML file")
        parent_path = _path(parent, path.parent)
    except InputError as error:
        raise InputError(f"suite file {path.name}: {error}") from error
    inherited = {key: value for key, value in _table(parent_path, chain).items() if key != "name"}
    return _merged(inherited, table)


def _merged(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``own`` over ``inherited``: tables key by key, everything else as a whole."""
    merged = dict(inherited)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
