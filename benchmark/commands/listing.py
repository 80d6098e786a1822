"""``list``: targets, attacks and suites."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from typing import Any

from benchmark.commands.plugins import load_plugins
from benchmark.message import one_line


def _targets() -> list[dict[str, Any]]:
    from targets import TARGETS

    return [
        {
            "name": target.name,
            "sigma": target.sigma,
            "data": target.data,
            # Of a target without a recipe, such as a user's checkpoint, nobody has said how it was trained.
            "training": None if target.recipe is None else target.defence.name,
            "description": target.description,
        }
        for target in (TARGETS[name] for name in TARGETS)
    ]


def _attacks() -> list[dict[str, Any]]:
    from attacks import ATTACKS

    return [
        {
            "name": name,
            "access": ATTACKS[name].access.kind,
            "description": ATTACKS[name].summary(),
            "parameters": {f.name: f.default for f in dataclasses.fields(ATTACKS[name])},  # type: ignore[arg-type]
        }
        for name in ATTACKS
    ]


def _suites() -> list[dict[str, Any]]:
    from benchmark.suite_file import load_suite, suite_names

    return [dataclasses.asdict(load_suite(name)) for name in suite_names()]


LISTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "targets": _targets,
    "attacks": _attacks,
    "suites": _suites,
}


def main(arguments: argparse.Namespace) -> int:
    """Returns 0."""
    from tabulate import tabulate

    left_out = load_plugins(arguments.plugin)
    entries = LISTS[arguments.what]()
    if arguments.json:
        print(json.dumps(entries, indent=2))
    else:
        hidden = {
            "parameters",
            "settings",
            "offset",
            "ceiling_samples",
            "ceiling_samples_max",
            "shard",
            "query_budgets",
            "best_of",
        }
        shown = [{k: _text(v) for k, v in entry.items() if k not in hidden} for entry in entries]
        print(tabulate(shown, headers="keys", disable_numparse=True))
        for line in left_out:
            print(one_line(line))
    return 0


def _text(value: Any) -> str:
    if value is None:
        return "—"
    return ", ".join(str(v) for v in value) if isinstance(value, tuple) else str(value)
