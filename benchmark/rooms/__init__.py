"""Our rooms, found whatever else goes by their names; installed, this package is ``abstention_bench``.

``attacks`` and ``targets`` are names that others use too. Once this is imported, which is before anything else of ours,
they mean the packages beside it, whatever the current folder and ``PYTHONPATH`` hold. And each is to be had by a name
that nobody else has: ``abstention_bench.attacks`` is ``attacks``, the same module object.
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

ROOMS = ("attacks", "benchmark", "leaderboard", "targets")
ALIAS = "abstention_bench"

_HERE = Path(__file__).parent
HOME = _HERE.parents[1] if (_HERE.parent / "cli.py").is_file() else _HERE.parent
"""The folder of the rooms: this one lies in one of them, or beside them where it is installed as a package."""


class _Rooms(MetaPathFinder):
    """Finds a room by its name, and what is in it by that of the alias."""

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
    """Loads a module under another name by not loading it again."""

    def __init__(self, real: str) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self.real)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # which the import system has replaced


def main() -> int:
    """The command ``abstention-bench``."""
    from benchmark.cli import main

    return main()


def __getattr__(name: str) -> ModuleType:
    """A room, for ``from abstention_bench import attacks``."""
    if name in ROOMS:
        return import_module(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _check() -> None:
    """Raise ImportError where a room's name is taken already."""
    for room in ROOMS:
        file = getattr(sys.modules.get(room), "__file__", None)
        if room in sys.modules and not (file and samefile(file, HOME / room / "__init__.py")):
            raise ImportError(
                f"{room!r} is imported already, from {file}; abstention-bench has a package of that name: rename yours",
                name=room,
            )


_check()
sys.modules.setdefault(ALIAS, sys.modules[__name__])
sys.meta_path.insert(0, _Rooms())
