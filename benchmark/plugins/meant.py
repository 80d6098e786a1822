"""What the author of a plugin may have meant, where a name that it takes from one of our rooms is not there."""

from __future__ import annotations

import difflib
import re
import sys
from pkgutil import iter_modules
from types import ModuleType

from benchmark.rooms import ALIAS, ROOMS


def meant(error: BaseException) -> str:
    """A suggestion, as "; did you mean 'WhiteBox'?"; nothing where there is none."""
    if isinstance(error, ModuleNotFoundError):
        return _module(error.name or "")
    if isinstance(error, ImportError):
        found = re.search(r"cannot import name '(\w+)'", str(error))
        return _name(sys.modules.get(error.name or ""), found[1]) if found else ""
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return _name(error.obj, error.name or "")
    return ""


def _name(module: ModuleType | None, name: str) -> str:
    if module is None or not _ours(module.__name__):
        return ""
    public = [known for known in dir(module) if not known.startswith("_")]
    public.sort(key=lambda known: not isinstance(getattr(module, known), ModuleType))  # modules first, the others last
    if close := _close(name, public):
        return f"; did you mean {close!r}?"
    for place in _public_modules():
        held = vars(sys.modules[place]).get(name)
        if held is not None and getattr(held, "__module__", place) == place:
            return f"; {name} is in {place}"
    return ""


def _module(name: str) -> str:
    if not _ours(name):
        return ""
    parent, _, last = name.rpartition(".")
    package = sys.modules.get(parent)
    close = _close(last, [child.name for child in iter_modules(getattr(package, "__path__", []))])
    return f"; did you mean '{parent}.{close}'?" if close else ""


def _ours(name: str) -> bool:
    return name.removeprefix(f"{ALIAS}.").partition(".")[0] in ROOMS


def _public_modules() -> list[str]:
    """Those of ours that are imported, the shortest names first."""
    found = [name for name in sys.modules if name.partition(".")[0] in ROOMS and "._" not in name]
    return sorted(found, key=lambda name: (name.count("."), name))


def _close(name: str, known: list[str]) -> str | None:
    """The known name that is the same but for capitals and underscores, else one that is much alike."""
    plain = {one.lower().replace("_", ""): one for one in known}
    if same := plain.get(name.lower().replace("_", "")):
        return same
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.75)), None)
