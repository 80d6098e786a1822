"""The code behind a plugin: its file, every local module that it imports, and the distributions of the others.

Imports are read from the source text, also inside functions, and followed from module to module. A module is local if
it is neither in the standard library, nor in an installed distribution, nor this project's own.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from benchmark.plugins.import_statements import computes, imported, joined
from benchmark.plugins.python_files import INSTALLED, python_files
from targets.errors import InputError

OURS = {"abstention_bench", "attacks", "benchmark", "leaderboard", "targets"}

COMPUTING = {"matplotlib", "numpy", "packaging", "pandas", "pyarrow", "safetensors", "scipy", "sklearn", "tabulate"}
COMPUTING |= {"torch", "torchvision", "tqdm"}
"""Modules of distributions that this project computes with. Their versions are recorded with a cell but in no key.

All other distributions may hold code of attacks and networks, as foolbox and ART do: their versions are in the key.
"""

DISTRIBUTIONS = {"PIL": "pillow", "art": "adversarial-robustness-toolbox", "yaml": "pyyaml"}
"""Distributions by module, where the names differ. To search all that is installed for them would take a second."""


@dataclass(frozen=True)
class Module:
    """A local module.

    Attributes:
        name: as it is imported; it begins with a dot if the plugin's file reaches it by a relative import.
        path: its file; None for a package without one.
        content: of the file.
        folders: of a package's modules.
    """

    name: str
    path: Path | None
    content: bytes
    folders: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """What its relative imports start from."""
        parent, dot, _ = self.name.rpartition(".")
        return self.name if self.folders else parent or dot


@dataclass(frozen=True)
class Code:
    """The code behind an entry of a registry.

    Attributes:
        content: of the plugin's file; empty for an installed plugin.
        modules: local modules by name.
        distributions: "name==version" of the distributions of all other modules, sorted.
    """

    content: bytes
    modules: dict[str, Module]
    distributions: tuple[str, ...]

    @property
    def version(self) -> str:
        """What goes into the version of an attack or target: the digest and the distributions."""
        return "+".join([self.digest, *self.distributions])

    @property
    def digest(self) -> str:
        """A hash of the file and the local modules; without any, of the file's content alone."""
        digest = hashlib.blake2b(self.content, digest_size=8)
        for name, module in sorted(self.modules.items()):
            if module.path is not None:
                digest.update(f"\n{name} {len(module.content)}\n".encode() + module.content)
        return digest.hexdigest()


def of_file(path: Path, elsewhere: Iterable[str] = (), known: Code | None = None) -> Code:
    """The code behind a plugin's file.

    Args:
        elsewhere: entries of ``sys.path`` that are other plugins' folders.
        known: the code that was found before the file was run. The contents of its modules are not read again. Running
            the file may have changed ``sys.path``.

    Raises:
        InputError: with the present ``sys.path`` the name of a known module means another file.
    """
    content = path.read_bytes() if known is None else known.content
    folder = str(path.resolve().parent)
    others = set(elsewhere) - {folder}
    scan = _Scan(folder, [entry for entry in sys.path if entry not in others], known.modules if known else {})
    scan.pending.append(Module(".", path, content, (folder,)))
    return scan.code(content)


def of_installed(module: str, distribution: str | None) -> Code:
    """The code behind a module of an installed package. The package's own files count wherever they lie.

    Args:
        distribution: "name==version", where it has one.
    """
    scan = _Scan(None, sys.path, {}, own=module.partition(".")[0])
    scan.follow(module)
    if distribution is not None:
        scan.distributions.add(distribution)
    return scan.code(b"")


class _Scan:
    """Follows imports.

    Args:
        folder: of the plugin; relative imports start from it, and it is searched last.
        path: folders that are searched before it.
        known: modules whose content is not read again.
        own: name of a module that is local wherever it lies.
    """

    def __init__(
        self, folder: str | None, path: Sequence[str], known: dict[str, Module], own: str | None = None
    ) -> None:
        invalidate_caches()  # a file may be younger than the import system's last look into its folder
        self.folder, self.path, self.known, self.own = folder, [*path, *([folder] if folder else [])], known, own
        self.modules: dict[str, Module] = {}
        self.distributions: set[str] = set()
        self.pending: list[Module] = []
        self.taken: set[Path] = set()

    def code(self, content: bytes) -> Code:
        """The code that the pending modules lead to."""
        while self.pending:
            self._read(self.pending.pop())
        return Code(content, self.modules, tuple(sorted(self.distributions)))

    def _read(self, module: Module) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python says so when it runs the module
                tree = ast.parse(module.content)
        except (SyntaxError, ValueError):  # Python says so when it is imported
            return
        taken = False
        for node in ast.walk(tree):
            for name in imported(node, module.package):
                self.follow(name)
            if not taken and computes(node):
                taken = True
                self._take_folder(module)

    def follow(self, name: str) -> bool:
        """Add a module and the packages around it. Returns whether there is such a local module."""
        if name in self.modules:
            return True
        parent, dot, tail = name.rpartition(".")
        if parent:
            if not self.follow(parent):
                return False
            spec = _spec(tail, self.modules[parent].folders)
        elif dot:
            spec = _spec(tail, [self.folder] if self.folder else [])
        else:
            spec = self._top(tail)
        if spec is None:
            return False
        path = Path(spec.origin).absolute() if spec.origin is not None and spec.has_location else None
        if path is not None and not path.is_file():  # in an archive
            return False
        found = self.known.get(name)
        if found is None:
            content = path.read_bytes() if path else b""
            found = Module(name, path, content, tuple(spec.submodule_search_locations or ()))
        elif found.path != path:  # the plugin put a folder on the path too late
            raise InputError(f"its module {name!r} is {path}, and {found.path} is imported instead; rename one of them")
        self.modules[name] = found
        self.pending.append(found)
        return True

    def _top(self, name: str) -> ModuleSpec | None:
        """The location of a top-level module if it is local. If it is not, its distribution is added."""
        if name in OURS or name in COMPUTING or name in sys.builtin_module_names:
            return None
        spec = _spec(name, self.path)
        if spec is None:
            try:
                spec = find_spec(name)  # an editable installation has its own finder
            except (ImportError, ValueError):
                return None
        if spec is None or name == self.own:
            return spec
        where = Path(spec.origin) if spec.origin and spec.has_location else None
        if where is None and spec.submodule_search_locations:
            where = Path(next(iter(spec.submodule_search_locations)))
        if where is None:
            return None
        if INSTALLED & set(where.parts):
            distributions = _distributions(name)
            self.distributions.update(distributions)
            return None if distributions else spec
        return spec if is_local(where) else None

    def _take_folder(self, module: Module) -> None:
        """Add every file that a module could run without naming it: those below the plugin's folder or its package's.

        Raises:
            InputError: there are too many for one plugin.
        """
        top = self.modules.get(module.name.partition(".")[0])
        beside = self.folder is not None and module.path is not None and _below(module.path, self.folder)
        if self.folder is not None and (beside or module.name.startswith(".")):
            package, folders = ".", [self.folder]
        elif top is not None and top.folders:
            package, folders = top.name, list(top.folders)
        else:
            package, folders = "", [str(module.path.parent)] if module.path else []
        for folder in map(Path, folders):
            if folder not in self.taken:
                self.taken.add(folder)
                for path in python_files(folder):
                    self._take_file(path.absolute(), package, folder.absolute())

    def _take_file(self, path: Path, package: str, folder: Path) -> None:
        parts = path.relative_to(folder).with_suffix("").parts
        name = joined(package, ".".join(part for part in parts if part != "__init__"))
        if all(part.isidentifier() for part in parts):
            self.follow(name)
        if (found := self.modules.get(name)) is not None and found.path == path:
            return
        # It can be run but not be imported by that name. No import has a name like this one.
        name = f"{package or folder.name}/{path.relative_to(folder).as_posix()}"
        while name in self.modules:  # a package may lie in several folders
            name += "+"
        self.modules[name] = self.known.get(name) or Module(name, path, path.read_bytes())
        self.pending.append(self.modules[name])


def is_local(path: Path) -> bool:
    """Whether a module's file is neither installed nor of the standard library."""
    standard = {sysconfig.get_path(key) for key in ("stdlib", "platstdlib")}
    return not INSTALLED & set(path.parts) and not any(path.is_relative_to(folder) for folder in standard)


def _below(path: Path, folder: str) -> bool:
    return path.absolute().is_relative_to(folder) or path.resolve().is_relative_to(Path(folder).resolve())


def _spec(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    return PathFinder.find_spec(name, list(folders))


def _distributions(module: str) -> list[str]:
    """The distributions of an installed module, "name==version" each; none for a module without one."""
    name = DISTRIBUTIONS.get(module, module)
    try:
        return [f"{name}=={version(name)}"]
    except PackageNotFoundError:
        return [f"{name}=={version(name)}" for name in sorted(set(packages_distributions().get(module, ())))]
