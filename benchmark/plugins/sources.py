"""The code behind a plugin: its file, every local module that it imports, and the distributions of the others.

Imports are read from the text, those inside functions too, and followed from module to module. What is local is
known by where it lies: neither in the standard library nor in an installed distribution, and not this project's own.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from targets.errors import InputError

OURS = {"abstention_bench", "attacks", "benchmark", "leaderboard", "targets"}

COMPUTING = {"matplotlib", "numpy", "packaging", "pandas", "pyarrow", "safetensors", "scipy", "sklearn", "tabulate"}
COMPUTING |= {"torch", "torchvision", "tqdm"}
"""Modules of what this project itself computes with: recorded with a cell, and in the key of none.

All other distributions hold code of attacks and networks, foolbox and the toolbox among them.
"""

DISTRIBUTIONS = {"PIL": "pillow", "art": "adversarial-robustness-toolbox", "yaml": "pyyaml"}
"""By module, where the names differ and asking all that is installed would take a second."""

COMPUTING_IMPORTS = {
    "SourceFileLoader",
    "SourcelessFileLoader",
    "__builtins__",
    "__import__",
    "builtins",
    "exec_module",
    "import_module",
    "importlib",
    "iter_modules",
    "load_module",
    "load_source",
    "pkgutil",
    "pydoc",
    "run_module",
    "run_path",
    "runpy",
    "spec_from_file_location",
    "walk_packages",
    "zipimport",
    "zipimporter",
}
"""Names by which a module is imported, or a file is run, that the text need not name.

Where one is mentioned, under whatever alias it is used, all Python files below the plugin's folder count.
"""

RUNNING = {"compile", "eval", "exec", "imp"}
"""Names that do so where they stand alone: a method, as ``model.eval()`` or ``re.compile``, is another thing."""

MOST_FILES = 2000
"""Python files below a plugin's folder; where there are more, it does not lie in a folder of its own."""

MOST_FOLDERS = 20_000

INSTALLED = {"site-packages", "dist-packages"}
LEFT_OUT = {*INSTALLED, "__pycache__", "node_modules"}
"""Folders in which nothing of a plugin's lies, beside hidden ones, virtual environments and results."""


@dataclass(frozen=True)
class Module:
    """A local module.

    Attributes:
        name: as it is imported; it begins with a dot where it is reached from the plugin's file by a relative import.
        path: its file; None for a package without one.
        content: of the file.
        folders: where a package's modules lie.
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
    """What an entry of a registry is made by.

    Attributes:
        content: of the plugin's file; empty for an installed plugin.
        modules: the local ones, by name.
        distributions: "name==version" of the others, sorted.
    """

    content: bytes
    modules: dict[str, Module]
    distributions: tuple[str, ...]

    @property
    def version(self) -> str:
        """The digest and the distributions."""
        return "+".join([self.digest, *self.distributions])

    @property
    def digest(self) -> str:
        """Of the file and the local modules; where there are none, the hash of its content alone."""
        digest = hashlib.blake2b(self.content, digest_size=8)
        for name, module in sorted(self.modules.items()):
            if module.path is not None:
                digest.update(f"\n{name} {len(module.content)}\n".encode() + module.content)
        return digest.hexdigest()


def of_file(path: Path, elsewhere: Iterable[str] = (), known: Code | None = None) -> Code:
    """The code behind a plugin's file.

    Args:
        elsewhere: entries of ``sys.path`` that are other plugins' folders.
        known: what was found before the file was run, and was run: its contents stand. It may have changed
            ``sys.path`` since.

    Raises:
        InputError: by the ``sys.path`` of now, a known module is another one.
    """
    content = path.read_bytes() if known is None else known.content
    folder = str(path.resolve().parent)
    others = set(elsewhere) - {folder}
    scan = _Scan(folder, [entry for entry in sys.path if entry not in others], known.modules if known else {})
    scan.pending.append(Module(".", path, content, (folder,)))
    return scan.code(content)


def of_installed(module: str, distribution: str | None) -> Code:
    """The code behind a module of an installed package, whose own files count wherever they lie.

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
        folder: the plugin's, which relative imports start from and which is searched last.
        path: the folders that are searched before it.
        known: modules whose content stands.
        own: a module that is local wherever it lies.
    """

    def __init__(
        self, folder: str | None, path: Sequence[str], known: dict[str, Module], own: str | None = None
    ) -> None:
        invalidate_caches()  # a file that is younger than the last look into its folder
        self.folder, self.path, self.known, self.own = folder, [*path, *([folder] if folder else [])], known, own
        self.modules: dict[str, Module] = {}
        self.distributions: set[str] = set()
        self.pending: list[Module] = []
        self.taken: set[Path] = set()

    def code(self, content: bytes) -> Code:
        """What is found from the pending modules on."""
        while self.pending:
            self._read(self.pending.pop())
        return Code(content, self.modules, tuple(sorted(self.distributions)))

    def _read(self, module: Module) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python says so when it runs the module
                tree = ast.parse(module.content)
        except (SyntaxError, ValueError):  # whoever imports it is told
            return
        taken = False
        for node in ast.walk(tree):
            for name in _imported(node, module.package):
                self.follow(name)
            if not taken and _computes(node):
                taken = True
                self._take_folder(module)

    def follow(self, name: str) -> bool:
        """Take in a module and the packages around it; whether there is such a local one."""
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
        elif found.path != path:  # a folder that it put on the path comes too late
            raise InputError(f"its module {name!r} is {path}, and {found.path} is imported instead; rename one of them")
        self.modules[name] = found
        self.pending.append(found)
        return True

    def _top(self, name: str) -> ModuleSpec | None:
        """Where a module outside all packages lies, if it is local; else its distribution is taken in."""
        if name in OURS or name in COMPUTING or name in sys.builtin_module_names:
            return None
        spec = _spec(name, self.path)
        if spec is None:
            try:
                spec = find_spec(name)  # what an editable installation finds in a way of its own
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
        standard = {sysconfig.get_path(key) for key in ("stdlib", "platstdlib")}
        return None if any(where.is_relative_to(folder) for folder in standard) else spec

    def _take_folder(self, module: Module) -> None:
        """Take in all that a module could run without naming it: what lies below the plugin's folder, or its package's.

        Raises:
            InputError: that is more than a plugin's.
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
                for path in _python_files(folder):
                    self._take_file(path.absolute(), package, folder.absolute())

    def _take_file(self, path: Path, package: str, folder: Path) -> None:
        parts = path.relative_to(folder).with_suffix("").parts
        name = _join(package, ".".join(part for part in parts if part != "__init__"))
        if all(part.isidentifier() for part in parts):
            self.follow(name)
        if (found := self.modules.get(name)) is not None and found.path == path:
            return
        # It can be run, but not be imported by that name. No import is of a name like this one.
        name = f"{package or folder.name}/{path.relative_to(folder).as_posix()}"
        while name in self.modules:  # a package may lie in several folders
            name += "+"
        self.modules[name] = self.known.get(name) or Module(name, path, path.read_bytes())
        self.pending.append(self.modules[name])


def _below(path: Path, folder: str) -> bool:
    return path.absolute().is_relative_to(folder) or path.resolve().is_relative_to(Path(folder).resolve())


def _python_files(top: Path) -> list[Path]:
    """Python files in a folder and below, sorted, without those that are nobody's plugin.

    Raises:
        InputError: there are too many to be one plugin's.
    """
    found: list[Path] = []
    seen: set[str] = set()
    if INSTALLED & {top.name}:  # of modules that lie there on their own, as of many distributions
        return sorted(top.glob("*.py"))
    for place, folders, files in os.walk(top, followlinks=True):
        real = os.path.realpath(place)
        if real in seen or (place != str(top) and {"store.json", "pyvenv.cfg"} & set(files)):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in LEFT_OUT)
        found += (Path(place, name) for name in files if name.endswith(".py"))
        if len(found) > MOST_FILES or len(seen) > MOST_FOLDERS:
            raise InputError(
                f"it imports modules or runs files by names that it computes, and {top} has more than "
                f"{MOST_FILES:,} Python files or {MOST_FOLDERS:,} folders below it; put it into a folder of its own"
            )
    return sorted(found)


def _computes(node: ast.AST) -> bool:
    """Whether a node mentions something that imports or runs what the text need not name."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {part for alias in node.names for part in alias.name.split(".")}
        names |= set((getattr(node, "module", None) or "").split("."))
        return bool(names & (COMPUTING_IMPORTS | RUNNING))
    if isinstance(node, ast.Attribute):
        return node.attr in COMPUTING_IMPORTS
    if isinstance(node, ast.Name):
        return node.id in COMPUTING_IMPORTS | RUNNING - {"imp"}
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in COMPUTING_IMPORTS


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """Full names of what an import may be of: with ``from a import b`` both a and a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            start = package
            for _ in range(node.level - 1):
                parent, dot, _ = start.rpartition(".")
                start = parent or dot
            if not start:
                return
            base = _join(start, base)
        if base != ".":
            yield base
        yield from (_join(base, alias.name) for alias in node.names if alias.name != "*")
    elif isinstance(node, ast.Call) and (name := _named(node)):
        yield _join(package, name.lstrip(".")) if name.startswith(".") else name


def _named(call: ast.Call) -> str | None:
    """The module that a call of ``import_module`` imports, where its text says which."""
    if _name(call.func) in ("import_module", "__import__") and call.args and isinstance(call.args[0], ast.Constant):
        return str(call.args[0].value)
    return None


def _join(package: str, name: str) -> str:
    return f"{package.removesuffix('.')}.{name}" if package and name else package or name


def _name(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute):
        return function.attr if function.attr != "exec" else None  # that of a database, say
    return function.id if isinstance(function, ast.Name) else None


def _spec(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    return PathFinder.find_spec(name, list(folders))


def _distributions(module: str) -> list[str]:
    """Of an installed module, "name==version" each; none where it lies there on its own."""
    name = DISTRIBUTIONS.get(module, module)
    try:
        return [f"{name}=={version(name)}"]
    except PackageNotFoundError:
        return [f"{name}=={version(name)}" for name in sorted(set(packages_distributions().get(module, ())))]
