"""``new``: an author's first file and its test."""

from __future__ import annotations

import argparse
import shlex

from benchmark.commands.plugins import load_plugins
from benchmark.kit.writing import write
from benchmark.options import program
from targets import DATA, TARGETS, InputError


def main(arguments: argparse.Namespace) -> int:
    """Returns 0.

    Raises:
        InputError: see :func:`benchmark.kit.writing.write`; or the name is registered already, by this project or by an
            installed package.
    """
    from attacks import ATTACKS

    kind, name = arguments.kind, arguments.name
    load_plugins([])
    if name in (ATTACKS if kind == "attack" else TARGETS):
        raise InputError(f"the {kind} name {name!r} is taken; choose another")
    if kind == "target" and f"{name}-data" in DATA:
        raise InputError(f"the data set name {name + '-data'!r} is taken; choose another name for the target")
    if kind == "target" and arguments.access is not None:
        raise InputError("--access is of attacks; leave it out")
    paths = write(kind, name, arguments.output, arguments.access or "white-box")
    plugin, test = (shlex.quote(str(path)) for path in paths)
    what = f"--attacks {name} --targets digits-sigma0.50" if kind == "attack" else f"--targets {name} --attacks margin"
    print(f"Written: {paths[0]} and its test, {paths[1]}.")
    print(f"  {program()} check {plugin}")
    print(f"  python -m pytest {test}")
    print(f"  {program()} run --plugin {plugin} {what} --images 16")
    return 0
