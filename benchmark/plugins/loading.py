"""Plugins: attacks and targets (with data sets and architectures for them) from files and installed packages."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import traceback
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from attacks import ATTACKS
from benchmark import toml_file
from benchmark.plugins import sources
from benchmark.plugins.kept_sources import KEPT, Source
from benchmark.plugins.meant import meant
from benchmark.plugins.registries import Snapshot
from benchmark.plugins.target_file import register_targets
from benchmark.rooms import ROOMS
from targets import TARGETS, InputError
from targets.isolation import isolated
from targets.models import ARCHITECTURES, VERSIONS

GROUPS = ("abstention_bench.attacks", "abstention_bench.targets")


def load_installed() -> list[str]:
    """Load the entry points of installed packages. One that fails is left out, and the others are loaded.

    Returns:
        One line for each that failed.
    """
    problems = []
    for group in GROUPS:
        for entry in entry_points(group=group):
            before = Snapshot.take()
            try:
                with isolated(0, environment=False):
                    entry.load()
                    _check(before.added())
                _stamp(before.added(), _version(entry))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # somebody else's package must not take the benchmark down
                before.restore()
                reason = f"{type(error).__name__}: {error}".replace("\n", " ")
                problems.append(f"plugin {entry.name} ({entry.value}) was left out: {reason}")
    return problems


def load_file(path: Path) -> list[str]:
    """Load one plugin file: Python that registers attacks or targets, or TOML that describes targets.

    Returns:
        The names that it registered.

    Raises:
        InputError: there is no such file, it does not import, it registers nothing, or it takes a registered name.
            What it had registered until then is removed.
    """
    if path.is_dir():
        raise InputError(f"the plugin {path} is a folder; give the Python or TOML file in it")
    if not toml_file.exists(path):
        raise InputError(f"there is no plugin file {path}")
    before = Snapshot.take()
    try:
        if path.suffix == ".toml":
            register_targets(path)  # a checkpoint's content, not the file that names it, is in its target's digest
        else:
            _import(path)
    except InputError as error:
        before.restore()
        raise InputError(f"plugin {path.name}: {error}") from error
    return [name for _, name in sorted(before.added())]


def _import(path: Path) -> None:
    """Run a Python file as a module with a name of its own. What it registers gets a digest of the code as version."""
    code = sources.of_file(path, KEPT.folders)
    package = _package(path, code.digest)
    module_name = f"{package}.{path.stem.replace('.', '_')}"
    loader = Source(module_name, path.absolute(), code.content) if path.suffix == ".py" else None
    spec = importlib.util.spec_from_file_location(module_name, path, loader=loader)
    if spec is None or spec.loader is None:
        raise InputError("neither Python nor TOML; give a file that ends in .py or .toml")
    module = importlib.util.module_from_spec(spec)
    if loader is not None:
        # Plugins had this name before they were put into a package. Digests of targets with own classes depend on it.
        module.__name__ = f"abstention_bench_plugin_{path.stem}_{code.digest}"
    before = Snapshot.take()
    KEPT.keep(code, package, str(path.resolve().parent))
    for name in (module_name, module.__name__):  # the dataclass decorator looks its module up
        sys.modules[name] = module
    try:
        # A plugin may set environment variables that libraries read later.
        with isolated(0, environment=False), KEPT.loading():
            spec.loader.exec_module(module)
            _check(before.added())
        code = sources.of_file(path, KEPT.folders, code)  # again: it may have put folders on sys.path
        KEPT.keep(code, package, str(path.resolve().parent))
    except InputError:
        KEPT.forget(code, package)
        raise
    except BaseException as error:
        KEPT.forget(code, package)
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InputError(f"does not import: {_where(error, path)}") from error
    new = before.added()
    if not new:
        raise InputError('registers no attack and no target; decorate one with @attacks.register("its-name")')
    _stamp(new, code.version)


def _stamp(new: set[tuple[str, str]], code: str) -> None:
    """Put the code's version into the versions of new entries, so that edited code has other keys.

    Results of edited code must never be taken for those of the code before.
    """
    # All versions first: one attack's class may derive from another's.
    versions = {name: f"{ATTACKS[name].version}+{code}" for kind, name in new if kind == ATTACKS.kind}
    for kind, name in sorted(new):
        if kind == ATTACKS.kind:
            ATTACKS[name].version = versions[name]
        elif kind == TARGETS.kind:
            TARGETS.replace(name, dataclasses.replace(TARGETS[name], version=code))
        elif kind == ARCHITECTURES.kind:
            VERSIONS[name] = code


def _version(entry: EntryPoint) -> str:
    """The version of the code behind an entry point."""
    name = f"{entry.dist.name}=={entry.dist.version}" if entry.dist is not None else None
    return sources.of_installed(entry.module, name).version


def _package(path: Path, digest: str) -> str:
    """Make a package of the files beside a plugin, for its relative imports; returns the package's name.

    ``from .attacks import helper`` imports from ``attacks.py`` beside the plugin, ``from attacks import Attack`` from
    ours. The plugin is a module in that package and not the package itself: otherwise its attribute ``attacks`` would
    become the file beside it.
    """
    name = f"abstention_bench_plugin_beside_{path.stem}_{digest}".replace(".", "_")
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(path.resolve().parent)]
    sys.modules[name] = importlib.util.module_from_spec(spec)
    return name


def _check(new: set[tuple[str, str]]) -> None:
    """Raise :class:`InputError` for an attack that no cell could be made of."""
    for name in sorted(name for kind, name in new if kind == "attack"):
        try:
            parameters = ATTACKS[name]().parameters()
        except TypeError as error:  # an abstract method, or a field without a default
            raise InputError(f"attack {name!r} cannot be made: {error}") from error
        for key, value in parameters.items():
            if not isinstance(value, int | float | str | None):
                raise InputError(f"{key} of attack {name!r} is {value!r}; give a number, a text, true, false or None")


def _where(error: BaseException, path: Path) -> str:
    """The error in one line, with the line of the plugin that raised it."""
    plugin = str(path.absolute())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == plugin]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    at = f" (line {line})" if line else ""
    return f"{type(error).__name__}: {message}".replace("\n", " ") + at + (_theirs(error, path) or meant(error))


def _theirs(error: BaseException, path: Path) -> str:
    """What to write instead, where a plugin imported one of our packages and meant its own file of that name."""
    room = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if room in ROOMS and any((path.parent / name).exists() for name in (f"{room}.py", room)):
        return f"; {room} is the benchmark's own, write `from .{room} import …` for the one beside {path.name}"
    return ""
