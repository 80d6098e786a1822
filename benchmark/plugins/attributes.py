"""Class attributes of an attack that look like hyper-parameters and are none."""

from __future__ import annotations

import dataclasses
from typing import Any

from attacks import Attack

PLAIN = (bool, int, float, str, type(None))


def unannotated(cls: type[Attack]) -> list[str]:
    """A line for each attribute of plain value without an annotation, which is no field of the dataclass.

    It is not in the cell's key, so results of another value would be taken for those of this one. An attribute that a
    base class declares as ``ClassVar``, such as ``version``, is none of them.
    """
    fields = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    lines = []
    for base in cls.__mro__:
        if base is Attack:
            break
        own = vars(base).get("__annotations__", {})
        for name, value in vars(base).items():
            if name.startswith("_") or name in own or not isinstance(value, PLAIN):
                continue
            if name in fields or not _declared(cls, name):
                lines.append(_line(base.__name__, name, value, name in fields))
    return lines


def _declared(cls: type[Attack], name: str) -> bool:
    return any(name in vars(base).get("__annotations__", {}) for base in cls.__mro__)


def _line(owner: str, name: str, value: Any, is_field: bool) -> str:
    kind = type(value).__name__ if value is not None else "int | None"
    lost = "so it does not change the hyper-parameter" if is_field else "so it is no hyper-parameter and in no key"
    constant = "" if is_field else f", or `{name}: ClassVar[{kind}] = {value!r}` for a constant"
    return f"{owner}.{name} = {value!r} has no annotation, {lost}; write `{name}: {kind} = {value!r}`{constant}"
