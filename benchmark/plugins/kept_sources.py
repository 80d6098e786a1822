"""Local modules of plugins as they were when the plugin was loaded: what runs is what its version is a digest of.

A module may be imported when a cell runs, hours later, and Python itself takes compiled code for that of a file which
has the same length and was changed in the same second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from benchmark.plugins.sources import Code, Module
from targets.errors import InputError


class Source(SourceFileLoader):
    """Loads a module from a text that was read before."""

    def __init__(self, name: str, path: Path, content: bytes) -> None:
        super().__init__(name, str(path))
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        """The text, compiled."""
        code: CodeType = self.source_to_code(self._content, self.path)
        return code


class KeptModules(MetaPathFinder):
    """Finds the local modules of all plugins that this process has loaded, before anything else looks for them."""

    def __init__(self) -> None:
        self._modules: dict[str, Module] = {}
        self.folders: set[str] = set()
        """Of the plugins; entries of ``sys.path`` from now on."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As Python asks for it."""
        module = self._modules.get(fullname)
        if module is None or module.path is None or module.path.suffix != ".py":
            return None  # Python finds compiled modules, and packages without a file, by itself
        loader = Source(fullname, module.path, module.content)
        folders = [*module.folders] or None
        return spec_from_file_location(fullname, module.path, loader=loader, submodule_search_locations=folders)

    def hold(self, code: Code, plugin: str, folder: str) -> None:
        """From now on import a plugin's local modules as they were read.

        Args:
            plugin: the name of its module, below which its relative imports find theirs.
            folder: where its file lies.

        Raises:
            InputError: another plugin's module of that name lies elsewhere; a process can import only one.
        """
        wanted = {_full(name, plugin): module for name, module in code.modules.items()}
        for name, module in wanted.items():
            held = self._modules.get(name)
            if held is not None and held.path != module.path:
                raise InputError(
                    f"its module {name!r} is {module.path}, and another plugin's is {held.path}; rename one of them"
                )
        changed = {name for name, module in wanted.items() if self._modules.get(name, module).content != module.content}
        if changed:
            self.forget(code, plugin)
        self._modules.update(wanted)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        self.folders.add(folder)
        if folder not in sys.path:
            sys.path.append(folder)  # last: nothing in it may stand for what is installed

    def forget(self, code: Code, plugin: str) -> None:
        """Have a plugin's local modules run again when they are imported next."""
        for name in code.modules:
            sys.modules.pop(_full(name, plugin), None)


def _full(name: str, plugin: str) -> str:
    return f"{plugin}{name}" if name.startswith(".") else name


KEPT = KeptModules()
