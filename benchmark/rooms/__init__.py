"""Our four packages, found under their names even where a user's files have the same names.

``attacks`` and ``targets`` are common names. This package is imported before any other of ours. From then on they mean
the packages beside it, whatever the current folder and ``PYTHONPATH`` hold. Each also has a name that nobody else uses:
``abstention_bench.attacks`` is ``attacks``, the same module object. Installed, this package is ``abstention_bench``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from os.path import samefile
from pathlib import Path
from types import ModuleType
from typing import Any

ROOMS = ("attacks", "benchmark", "leaderboard", "targets")
ALIAS = "abstention_bench"

_HERE = Path(__file__).parent
HOME = _HERE.parents[1] if (_HERE.parent / "cli.py").is_file() else _HERE.parent
"""The folder of the four packages. This one lies inside ``benchmark``, or beside them if it is installed."""


class _Rooms(MetaPathFinder):
    """Finds a room by its name, and a room's modules by their alias."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in ROOMS:
            return spec_from_file_location(name, HOME / name / "__init__.py")
        alias, _, real = name.partition(".")
        if alias == ALIAS and real.partition(".")[0] in ROOMS:
            return ModuleSpec(name, _Same(real))
        return None


class _Same(Loader):
    """Gives a loaded module a second name, without loading it again."""

    def __init__(self, real: str) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self.real)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system replaced it


def main() -> int:
    """The command ``abstention-bench``."""
    from benchmark.cli import main

    return main()


def __getattr__(name: str) -> Any:
    """A room, for ``from abstention_bench import attacks``; or a public name of the harness, as ``run``."""
    if name in ROOMS:
        return import_module(name)
    harness = import_module("benchmark")
    if name in harness.__all__:
        return getattr(harness, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def check() -> None:
    """Raise ImportError if another package with a room's name is imported already."""
    for room in ROOMS:
        file = getattr(sys.modules.get(room), "__file__", None)
        if room in sys.modules and not (file and samefile(file, HOME / room / "__init__.py")):
            raise ImportError(
                f"{room!r} is imported already, from {file}; abstention-bench has a package of that name: rename yours",
                name=room,
            )


check()
sys.modules.setdefault(ALIAS, sys.modules[__name__])
sys.meta_path.insert(0, _Rooms())
