"""``compare``: two attacks, or two results folders or boards, image by image."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

from benchmark.recheck.comparison import LEVEL, Choice, Table, compare_attacks, compare_folders
from benchmark.recheck.comparison_table import as_json, text
from benchmark.recheck.recorded import is_recorded, recorded
from targets import InputError


def main(arguments: argparse.Namespace) -> int:
    """Returns 0, or 1 where ``--fail-below`` finds B worse.

    Raises:
        InputError: the two are not of one kind, or have nothing in common.
        StoreError: a folder cannot be read.
    """
    below: float | None = arguments.fail_below
    if below is not None and not (math.isfinite(below) and below >= 0):
        raise InputError(f"--fail-below is {below:g}; give a number of percentage points of at least 0")
    table = _table(arguments)
    if arguments.json:
        print(json.dumps(as_json(table.lines, below), indent=1, ensure_ascii=False))
    else:
        print(text(table))
    failing = [] if below is None else [line for line in table.lines if line.is_worse(below)]
    for line in failing:
        print(
            f"worse: B abstains in {-100 * line.counts.difference:.1f} points less than A on {line.settings['target']} "
            f"at ε = {line.settings['epsilon']:g}{_attack(line.settings)}, more than the {below:g} allowed, "
            f"p (Holm) = {line.adjusted:.2g} < {LEVEL:g}",
            file=sys.stderr,
        )
    return 1 if failing else 0


def _attack(settings: object) -> str:
    attack = settings.get("attack") if isinstance(settings, dict) else None
    return f" under {attack}" if attack else ""


def _table(arguments: argparse.Namespace) -> Table:
    choice = Choice(arguments.targets or (), arguments.attacks or (), arguments.epsilons or ())
    first, second = Path(arguments.first), Path(arguments.second)
    kinds = [is_recorded(path) for path in (first, second)]
    if all(kinds):
        return compare_folders(recorded(first), recorded(second), str(first), str(second), choice)
    if any(kinds) or any(name for name in (arguments.first, arguments.second) if "/" in name):
        path = second if kinds[0] else first
        raise InputError(f"{path} is no results folder and no board; give two folders, or two attacks' names")
    if arguments.attacks:
        raise InputError("--attacks is for two folders; leave it out")
    return compare_attacks(recorded(arguments.results), arguments.first, arguments.second, choice)
