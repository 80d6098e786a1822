"""Attacks of a run: names, or classes and objects of the user's own, registered while the run lasts."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attacks import ATTACKS, Attack
from benchmark.api.code import code_version
from benchmark.plugins.attributes import unannotated
from targets import InputError

OneAttack = str | Attack | type[Attack]
"""The name (or pattern) of registered attacks, or an attack with its hyper-parameters, or a class of attacks."""

Attacks = OneAttack | Iterable[OneAttack] | Mapping[str, Attack | type[Attack]]
"""One or several. A mapping gives each a name of its own, as two objects of one class need."""


def register_attacks(given: Attacks) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Register what is not registered yet.

    Returns:
        Names and patterns, and by name the hyper-parameters of those that were given as objects.

    Raises:
        InputError: something else than an attack, or a name that another attack has.
    """
    names: list[str] = []
    settings: dict[str, dict[str, Any]] = {}
    for name, one in _named(given):
        if not isinstance(one, str):
            cls = one if isinstance(one, type) else type(one)
            if name not in ATTACKS:
                ATTACKS.add(name, cls)
                for line in unannotated(cls):
                    warnings.warn(line, stacklevel=2)
            elif ATTACKS[name] is not cls or (name in names and not isinstance(given, Mapping)):
                raise InputError(
                    f"there is another attack {name!r}; give yours names of their own: attacks={{NAME: attack, …}}"
                )
            if isinstance(one, Attack):
                settings[name] = one.parameters()
        names.append(name)
    return names, settings


def attack_name(attack: Attack | type[Attack]) -> str:
    """The name that a class of attacks is registered under; of another one, its own name in lower case: my-attack."""
    cls = attack if isinstance(attack, type) else type(attack)
    known = next((name for name in ATTACKS if ATTACKS[name] is cls), None)
    return known or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).replace("_", "-").lower()


def _named(given: Attacks) -> Iterator[tuple[str, OneAttack]]:
    if isinstance(given, Mapping):
        named: list[tuple[str, Any]] = list(given.items())
    else:
        several = isinstance(given, Iterable) and not isinstance(given, str | Attack | type)
        named = [(one if isinstance(one, str) else "", one) for one in (given if several else [given])]  # type: ignore[union-attr]
    for name, one in named:
        attack = isinstance(one, Attack) or (isinstance(one, type) and issubclass(one, Attack))
        if not attack and not (isinstance(one, str) and one == name):
            raise InputError(f"an attack is given as {one!r}; give a registered name, an attacks.Attack or its class")
        if attack and not hasattr(one, "access"):
            raise InputError(f"{attack_name(one)!r} declares no access: set access = WhiteBox, say, in its class")
        yield name or attack_name(one), one


@contextmanager
def stamped(names: Iterable[str]) -> Iterator[None]:
    """Meanwhile these attacks' versions hold that of their code, as those of plugins do."""
    before: dict[type[Attack], dict[str, Any]] = {}
    versions: dict[type[Attack], str] = {}
    for cls in {ATTACKS[name] for name in names}:
        code = "" if "+" in str(cls.version) else code_version(cls)
        if code:
            versions[cls] = f"{cls.version}+{code}"
    for cls, version in versions.items():
        before[cls] = {"version": vars(cls)["version"]} if "version" in vars(cls) else {}
        cls.version = version
    try:
        yield
    finally:
        for cls, own in before.items():
            if own:
                cls.version = own["version"]
            else:
                del cls.version


def set_words(name: str, settings: Mapping[str, Any], suite: Mapping[str, Any]) -> list[str]:
    """An attack's hyper-parameters as values of ``--set``, but those that the suite or the attack's class sets so.

    Args:
        suite: the suite's settings of that attack.
    """
    import json

    fields = dataclasses.fields(ATTACKS[name])  # type: ignore[arg-type]
    usual = {field.name: field.default for field in fields} | dict(suite)
    changed = {key: value for key, value in settings.items() if value != usual.get(key) and value is not None}
    return [f"{name}.{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in changed.items()]
