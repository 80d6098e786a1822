"""Writing an author's first file and its test from a template."""

from __future__ import annotations

import keyword
import os
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from benchmark.rooms import ROOMS
from targets.errors import InputError
from targets.registry import check_name

TEMPLATES = Path(__file__).parent / "templates"

ACCESS = ("white-box", "score", "decision", "transfer", "hybrid", "none")
"""That an attack can be written for."""

LONGEST = 30
"""Characters of a name: with longer ones some lines of the templates would be too long."""


def write(kind: str, name: str, folder: Path, access: str = "") -> list[Path]:
    """Write a plugin file and its test, and return their paths.

    Args:
        kind: "attack" or "target".
        name: that it is registered under; with "_" for "-" and "." the file's, and in capitals the class's.
        access: of an attack, one of :data:`ACCESS`.

    Raises:
        InputError: the name makes no name of a file or class, or is another's; a file is there already, or cannot be
            written. Then nothing is written.
    """
    module = _module(kind, name, folder)
    title = "".join(part[:1].upper() + part[1:] for part in module.split("_"))
    words = {
        f"my_{kind}": module,
        f"my-{kind}": name,
        f"My{kind.capitalize()}": title,
    }
    template = f"attack_{access.replace('-', '_')}.py" if kind == "attack" else f"{kind}.py"
    texts = {
        folder / f"{module}.py": (TEMPLATES / template).read_text(encoding="utf-8"),
        folder / f"test_{module}.py": (TEMPLATES / f"{kind}_test.py").read_text(encoding="utf-8"),
    }
    if any(re.search(rf"\b{title}\b", text) for text in texts.values()):
        raise InputError(f"{name!r} makes a class {title}, and the file needs another one of that name; choose another")
    for path in texts:
        if os.path.lexists(path):
            raise InputError(f"{path} is there already, and nothing is overwritten; choose another name or --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(re.sub("|".join(words), lambda match: words[match[0]], text))
    except OSError as error:
        raise InputError(f"cannot write into {folder}: {error.strerror or error}; choose another --output") from error
    return list(texts)


def _module(kind: str, name: str, folder: Path) -> str:
    """The name of its file. Raises :class:`InputError` where that cannot be one."""
    check_name(kind, name)
    module = re.sub(r"[-.]", "_", name)
    if not module.isidentifier() or not module.isascii() or keyword.iskeyword(module):
        raise InputError(
            f"{name!r} makes no name of a file and a class: begin with a letter, and use letters, digits, '-', '_' and "
            f"'.', as my-{kind}"
        )
    if len(module) > LONGEST:
        raise InputError(f"{name!r} has {len(name)} characters; give {LONGEST} at most for a file and a class")
    if name.endswith("-bf16"):
        raise InputError(f"{name!r}: names that end in -bf16 are of targets that compute in bfloat16; choose another")
    if _hides(module, folder):
        raise InputError(f"{module}.py would hide the module {module!r} that is there already; choose another name")
    return module


def _hides(module: str, folder: Path) -> bool:
    """Whether a file of that name in a folder could stand before another module of that name."""
    ours = {os.path.realpath(entry) for entry in (".", folder)}
    others = [entry for entry in sys.path if os.path.realpath(entry) not in ours]
    return module in {*sys.stdlib_module_names, *ROOMS} or PathFinder.find_spec(module, others) is not None
