"""The version of the code behind an object of the user's own, so that edited code never gets the results of older."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import partial
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from benchmark.plugins.python_files import INSTALLED
from benchmark.plugins.sources import OURS, of_file

LIBRARIES = {"torch", "torchvision"}
"""Packages whose modules are no code of the user's."""


def code_version(*things: Any) -> str:
    """The version of the code of classes and functions; "" where all are this project's or PyTorch's.

    It is that of a plugin in the same file: a digest of the file and of the local modules that it imports. Code of an
    installed package has the package's version. Code that lies in no file, as in a notebook, gets a version that no
    other code has.
    """
    versions = set()
    for thing in things:
        package = _package(thing)
        if package in OURS | LIBRARIES:
            continue
        files = set(_files(thing))
        if not files:
            return f"unsaved-{uuid.uuid4().hex[:16]}"
        installed = any(INSTALLED & set(path.parts) for path in files)
        names = packages_distributions().get(package, []) if installed else []
        versions |= {f"{name}=={version(name)}" for name in names} or {of_file(path).version for path in files}
    return "+".join(sorted(versions))


def _package(thing: Any) -> str:
    return str(getattr(_inner(thing), "__module__", "")).partition(".")[0]


def _inner(thing: Any) -> Any:
    while isinstance(thing, partial):
        thing = thing.func
    return thing


def _files(thing: Any) -> Iterator[Path]:
    """The files of a function, or of a class's own methods. A class's module may be another file's by now."""
    thing = _inner(thing)
    functions = [thing]
    if isinstance(thing, type):  # without what the dataclass decorator put there
        members = [member for member in vars(thing).values() if hasattr(member, "__globals__")]
        functions = [member for member in members if member.__globals__.get("__name__") == thing.__module__]
    for function in functions:
        path = Path(getattr(getattr(function, "__code__", None), "co_filename", ""))
        if path.is_file():
            yield path
