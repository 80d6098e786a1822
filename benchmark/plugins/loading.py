"""Plugins: attacks and targets (with data sets and architectures for them) from files and installed packages."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import traceback
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from attacks import ATTACKS
from benchmark import toml_file
from benchmark.plugins import sources
from benchmark.plugins.kept_sources import KEPT, Source
from benchmark.plugins.target_file import register_targets
from benchmark.rooms import ROOMS
from targets import DATA, TARGETS, InputError
from targets.isolation import isolated
from targets.models import ARCHITECTURES, VERSIONS
from targets.registry import Registry

GROUPS = ("abstention_bench.attacks", "abstention_bench.targets")
REGISTRIES: dict[str, Registry[Any]] = {registry.kind: registry for registry in (ATTACKS, TARGETS, DATA, ARCHITECTURES)}
"""What a plugin may add to, by kind of entry."""

Registered = dict[str, dict[str, Any]]
"""A snapshot of each registry, by kind of entry."""


def load_installed() -> list[str]:
    """Load the entry points of installed packages; a bad one is reported and the others go on.

    Returns:
        One line for each that failed.
    """
    problems = []
    for group in GROUPS:
        for entry in entry_points(group=group):
            before = _registered()
            try:
                with isolated(0, environment=False):
                    entry.load()
                    _check(_new(before))
                _stamp(_new(before), _version(entry))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # somebody else's package must not take the benchmark down
                _forget(before)
                reason = f"{type(error).__name__}: {error}".replace("\n", " ")
                problems.append(f"plugin {entry.name} ({entry.value}) was left out: {reason}")
    return problems


def load_file(path: Path) -> list[str]:
    """Load one plugin file: Python that registers attacks or targets, or TOML that describes targets.

    Returns:
        The names that it registered.

    Raises:
        InputError: no such file, it does not import, it registers nothing, or takes a registered name. What it
            had registered until then is taken out again.
    """
    if not toml_file.exists(path):
        raise InputError(f"there is no plugin file {path}")
    before = _registered()
    try:
        if path.suffix == ".toml":
            register_targets(path)  # a checkpoint's content, not the file that names it, is in its target's digest
        else:
            _import(path)
    except InputError as error:
        _forget(before)
        raise InputError(f"plugin {path.name}: {error}") from error
    return [name for _, name in sorted(_new(before))]


def _import(path: Path) -> None:
    """Run a Python file under a name of its own; what it registers has a digest of its code in its version."""
    code = sources.of_file(path, KEPT.folders)
    package = _package(path, code.digest)
    module_name = f"{package}.{path.stem.replace('.', '_')}"
    loader = Source(module_name, path.absolute(), code.content) if path.suffix == ".py" else None
    spec = importlib.util.spec_from_file_location(module_name, path, loader=loader)
    if spec is None or spec.loader is None:
        raise InputError("neither Python nor TOML; give a file that ends in .py or .toml")
    module = importlib.util.module_from_spec(spec)
    if loader is not None:
        # So it was called before it was in a package, and the digest of a target with classes of its own holds it.
        module.__name__ = f"abstention_bench_plugin_{path.stem}_{code.digest}"
    before = _registered()
    KEPT.hold(code, package, str(path.resolve().parent))
    for name in (module_name, module.__name__):  # dataclasses look their module up
        sys.modules[name] = module
    try:
        with isolated(0, environment=False):  # libraries are told by environment variables what to be later
            spec.loader.exec_module(module)
            _check(_new(before))
        code = sources.of_file(path, KEPT.folders, code)  # again: it may have put folders on sys.path
        KEPT.hold(code, package, str(path.resolve().parent))
    except InputError:
        KEPT.forget(code, package)
        raise
    except BaseException as error:
        KEPT.forget(code, package)
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InputError(f"does not import: {_where(error, path)}") from error
    new = _new(before)
    if not new:
        raise InputError('registers no attack and no target; decorate one with @attacks.register("its-name")')
    _stamp(new, code.version)


def _stamp(new: set[tuple[str, str]], code: str) -> None:
    """Put the version of the code behind them into that of new entries.

    Results of edited code must never be taken for those of its old self.
    """
    # All first: one attack's class may derive from another's.
    versions = {name: f"{ATTACKS[name].version}+{code}" for kind, name in new if kind == ATTACKS.kind}
    for kind, name in sorted(new):
        if kind == ATTACKS.kind:
            ATTACKS[name].version = versions[name]
        elif kind == TARGETS.kind:
            TARGETS.replace(name, dataclasses.replace(TARGETS[name], version=code))
        elif kind == ARCHITECTURES.kind:
            VERSIONS[name] = code


def _version(entry: EntryPoint) -> str:
    """Of the code behind an entry point."""
    name = f"{entry.dist.name}=={entry.dist.version}" if entry.dist is not None else None
    return sources.of_installed(entry.module, name).version


def _package(path: Path, digest: str) -> str:
    """Make a package of the files beside a plugin, so that it reaches them whatever they are called; returns its name.

    ``from .attacks import helper`` is from ``attacks.py`` beside it, ``from attacks import Attack`` is ours. The plugin
    is not that package itself: its name ``attacks`` would then be the file beside it.
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
    """The error in one line, with the plugin's line that it comes from."""
    plugin = str(path.absolute())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == plugin]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    at = f" (line {line})" if line else ""
    return f"{type(error).__name__}: {message}".replace("\n", " ") + at + _theirs(error, path)


def _theirs(error: BaseException, path: Path) -> str:
    """What to write where a plugin looked in a room of ours for what is in a file of its own."""
    room = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if room in ROOMS and any((path.parent / name).exists() for name in (f"{room}.py", room)):
        return f"; {room} is the benchmark's own, write `from .{room} import …` for the one beside {path.name}"
    return ""


def _registered() -> Registered:
    return {kind: registry.snapshot() for kind, registry in REGISTRIES.items()}


def _new(before: Registered) -> set[tuple[str, str]]:
    """Kinds and names that were registered since ``before``."""
    return {(kind, name) for kind, registry in REGISTRIES.items() for name in registry if name not in before[kind]}


def _forget(before: Registered) -> None:
    """Take out whole what a plugin that failed has registered until then."""
    for kind, registry in REGISTRIES.items():
        registry.restore(before[kind])
    for name in VERSIONS.keys() - set(ARCHITECTURES):
        del VERSIONS[name]
