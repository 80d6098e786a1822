"""The code behind a plugin: its file, every local module that it imports, and the distributions of the others.

Imports are read from the text, those inside functions too, and followed from module to module. What is local is
known by where it lies: neither in the standard library nor in an installed distribution, and not this project's own.
"""

from __future__ import annotations

import ast
import hashlib
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

COMPUTED = {
    "__import__",
    "exec",
    "import_module",
    "iter_modules",
    "run_path",
    "spec_from_file_location",
    "walk_packages",
}
"""Functions that import what the text need not name: with one of them all Python files of the folder count."""


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
        for node in ast.walk(tree):
            for name in _imported(node, module.package):
                self.follow(name)
            if isinstance(node, ast.Call) and _name(node.func) in COMPUTED and _named(node) is None:
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
        if {"site-packages", "dist-packages"} & set(where.parts):
            distributions = _distributions(name)
            self.distributions.update(distributions)
            return None if distributions else spec
        standard = {sysconfig.get_path(key) for key in ("stdlib", "platstdlib")}
        return None if any(where.is_relative_to(folder) for folder in standard) else spec

    def _take_folder(self, module: Module) -> None:
        """Take in all that a module could import by a name that it computes."""
        folders = module.folders or ((str(module.path.parent),) if module.path else ())
        for folder in map(Path, folders):
            # What is in no package may lie in the user's home.
            whole_package = module.folders and module.name != "."
            for path in sorted(folder.rglob("*.py") if whole_package else folder.glob("*.py")):
                parts = path.relative_to(folder).with_suffix("").parts
                self.follow(_join(module.package, ".".join(part for part in parts if part != "__init__")))


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
