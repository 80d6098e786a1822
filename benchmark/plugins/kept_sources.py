"""The local modules of plugins, kept as they were when the plugin was loaded.

What runs must be what the plugin's version is a digest of. A module may be imported hours later, when a cell runs, and
may have been edited by then. And Python reuses compiled code for a file of the same length that was changed in the same
second.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import FrozenImporter, ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from benchmark.plugins.sources import OURS, Code, Module, is_local
from targets.errors import InputError


class Source(SourceFileLoader):
    """Loads a module from source text that was read before."""

    def __init__(self, name: str, path: Path, content: bytes) -> None:
        super().__init__(name, str(path))
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        """The source text, compiled."""
        code: CodeType = self.source_to_code(self._content, self.path)
        return code


class KeptModules(MetaPathFinder):
    """Finds the local modules of all plugins that this process has loaded, before anything else looks for them."""

    def __init__(self) -> None:
        self._modules: dict[str, Module] = {}
        self.folders: set[str] = set()
        """The plugins' folders, which are now entries of ``sys.path``."""
        self._is_loading = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by Python's import system."""
        module = self._modules.get(fullname)
        if module is None and self._is_loading:
            return _compiled_anew(fullname, path)
        if module is None or module.path is None or module.path.suffix != ".py":
            return None  # Python finds compiled modules, and packages without a file, by itself
        loader = Source(fullname, module.path, module.content)
        folders = [*module.folders] or None
        return spec_from_file_location(fullname, module.path, loader=loader, submodule_search_locations=folders)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While a plugin runs: local modules in folders that it puts on ``sys.path`` are compiled from their text.

        They are known only afterwards, when their text is read for the version: a file that is edited in between has
        the version of its new text.
        """
        was, self._is_loading = self._is_loading, True
        try:
            yield
        finally:
            self._is_loading = was

    def keep(self, code: Code, plugin: str, folder: str) -> None:
        """From now on, import a plugin's local modules as they were read.

        Args:
            plugin: the name of its package, which its relative imports start from.
            folder: the folder of its file.

        Raises:
            InputError: another plugin has a module of that name elsewhere; a process can import only one.
        """
        wanted = {_full(name, plugin): module for name, module in code.modules.items()}
        for name, module in wanted.items():
            kept = self._modules.get(name)
            if kept is not None and kept.path != module.path:
                raise InputError(
                    f"its module {name!r} is {module.path}, and another plugin's is {kept.path}; rename one of them"
                )
        changed = {name for name, module in wanted.items() if self._modules.get(name, module).content != module.content}
        if changed:
            self.forget(code, plugin)
        self._modules.update(wanted)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        self.folders.add(folder)
        if folder not in sys.path:
            sys.path.append(folder)  # last: nothing in it may hide an installed package

    def forget(self, code: Code, plugin: str) -> None:
        """Run a plugin's local modules again when they are imported next."""
        for name in code.modules:
            sys.modules.pop(_full(name, plugin), None)

    def snapshot(self) -> KeptModules:
        """A copy of what is kept now, for :meth:`restore`."""
        copy = KeptModules()
        copy._modules, copy.folders = dict(self._modules), set(self.folders)
        return copy

    def restore(self, snapshot: KeptModules) -> None:
        """Keep what was kept then, and make Python forget the modules that were imported since."""
        for name in {*self._modules} - {*snapshot._modules}:
            sys.modules.pop(name, None)
        self._modules, self.folders = dict(snapshot._modules), set(snapshot.folders)


def _compiled_anew(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Where Python finds a local module, with a loader that reuses no compiled code; None for all others."""
    is_python_s = name in sys.builtin_module_names or FrozenImporter.find_spec(name) is not None
    if is_python_s or name.partition(".")[0] in OURS:
        return None
    spec = PathFinder.find_spec(name, path)
    if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
        return None
    file = Path(spec.origin)
    if not is_local(file):
        return None
    spec.loader = Source(name, file, file.read_bytes())
    return spec


def _full(name: str, plugin: str) -> str:
    return f"{plugin}{name}" if name.startswith(".") else name


KEPT = KeptModules()
