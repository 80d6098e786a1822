"""``check``: what an attack or a target keeps of its contract, and what it breaks."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from attacks import ATTACKS
from benchmark.commands.plugins import load_plugins
from benchmark.kit.attack_clauses import ATTACK_CLAUSES
from benchmark.kit.bench import Bench
from benchmark.kit.clause import Finding, check_all
from benchmark.kit.plane import ALPHA, EPSILON, MARGINS, SAMPLES, SIGMA
from benchmark.kit.target_clauses import TARGET_CLAUSES, TargetBench
from benchmark.kit.world import World
from benchmark.message import one_line
from benchmark.plugins.loading import load_file
from targets import TARGETS, InputError
from targets.registry import unknown

WIDTH = max(map(len, [*map(str, ATTACK_CLAUSES), *map(str, TARGET_CLAUSES)]))


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 where every clause is kept, else 1.

    Raises:
        InputError: there is no such file, attack or target, or the file does not load.
    """
    load_plugins(arguments.plugin)
    attacks, targets, plugin = _chosen(arguments.what)
    broken = 0
    for name in attacks:
        broken += _attack(name, plugin)
    for name in targets:
        broken += _target(name, plugin)
    return 1 if broken else 0


def _chosen(what: str) -> tuple[list[str], list[str], Path | None]:
    """The attacks and targets that are to be checked, and the file that registers them."""
    path = Path(what)
    if path.suffix in (".py", ".toml") or os.path.isfile(path):
        names = load_file(path)
        attacks, targets = [n for n in names if n in ATTACKS], [n for n in names if n in TARGETS]
        if not attacks and not targets:
            raise InputError(f"plugin {path.name} registers no attack and no target to check")
        return attacks, targets, path
    attacks, targets = [what] * (what in ATTACKS), [what] * (what in TARGETS)
    if not attacks and not targets:
        raise unknown("attack or target", what, [*ATTACKS, *TARGETS])
    return attacks, targets, None


def _attack(name: str, plugin: Path | None) -> bool:
    print(f"Attack {name} ({ATTACKS[name].access.kind}), on {len(MARGINS)} images of a linear target, whose")
    print(f"p_A = Φ(margin / σ): σ = {SIGMA}, n = {SAMPLES:,}, α = {ALPHA}, ε = {EPSILON}")
    with tempfile.TemporaryDirectory() as folder:
        world = World.closed_form(Path(folder))
        with world.entered():
            return _tell(name, check_all(ATTACK_CLAUSES, Bench(world, name, plugin)))


def _target(name: str, plugin: Path | None) -> bool:
    print(f"Target {name}")
    return _tell(name, check_all(TARGET_CLAUSES, TargetBench(name, plugin)))


def _tell(name: str, findings: list[Finding]) -> bool:
    """Print what was found of each clause; returns whether one is broken."""
    for finding in findings:
        print(f"  {finding.status:6}  {finding.clause:{WIDTH}}  {one_line(finding.found)}")
    broken = [finding.clause for finding in findings if finding.status == "BROKEN"]
    print(f"{name} breaks: {', '.join(broken)}.\n" if broken else f"{name} keeps its contract.\n")
    return bool(broken)
