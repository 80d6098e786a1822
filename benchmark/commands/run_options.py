"""The options of ``run``: the suite that they ask for, and the options that would ask for it again."""

from __future__ import annotations

import argparse
import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attacks import ATTACKS
from benchmark.numeral import numeral
from benchmark.suite import Suite
from benchmark.suite_file import DEFAULT, idle_settings, load_suite, suite_names
from benchmark.terminal.notices import announce_idle
from targets import InputError

OVERRIDES = (
    "targets",
    "attacks",
    "epsilons",
    "images",
    "samples",
    "alpha",
    "seed",
    "query_budgets",
    "ceiling_samples",
    "ceiling_samples_max",
    "best_of",
)


def chosen_suite(arguments: argparse.Namespace) -> Suite:
    """The suite that the options name, with the command line's values over the file's."""
    given: dict[str, Any] = {name: getattr(arguments, name) for name in OVERRIDES}
    given = {name: value for name, value in given.items() if value is not None}
    if not (arguments.all or arguments.suite or given or arguments.set):
        raise InputError("say what to run: --all, --suite NAME, or --targets and --attacks")
    for name in ("targets", "attacks", "epsilons", "query_budgets"):
        if name in given:
            given[name] = tuple(dict.fromkeys(given[name]))
    suite = dataclasses.replace(load_suite(arguments.suite or DEFAULT), **given)
    suite = dataclasses.replace(suite, settings=with_settings(suite, arguments.set))
    suite.check(with_data=not arguments.dry_run)
    announce_idle(idle_settings(arguments.suite or DEFAULT, suite.attack_names()))
    return suite


def with_settings(suite: Suite, words: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """A suite's settings by attack, with those of ``ATTACK.NAME=VALUE`` over them.

    A value is read as in a suite file (30, 0.5, true), but a text needs no quotes.

    Raises:
        InputError: a word is not of that form, or its attack does not exist or is not run. Names and values are
            checked later, by :meth:`Suite.check`.
    """
    settings = dict(suite.settings)
    for word in words:
        key, equals, value = word.partition("=")
        name, dot, parameter = key.rpartition(".")
        if not (equals and dot):
            raise InputError(f"--set {word}: give ATTACK.NAME=VALUE, as margin.steps=30")
        fields = {field.name: field.default for field in dataclasses.fields(ATTACKS[name])}  # type: ignore[arg-type]
        if name not in suite.attack_names():
            raise InputError(f"--set {word}: {name} is not run; leave it out, or name it among --attacks")
        text = isinstance(fields.get(parameter), str)
        settings[name] = {**settings.get(name, {}), parameter: value if text else _value(value, word)}
    return settings


def engine_options(words: Sequence[str]) -> dict[str, Any]:
    """The options of ``NAME=VALUE``, whose values are read as those of ``--set``.

    Raises:
        InputError: a word is not of that form.
    """
    options = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (equals and name):
            raise InputError(f"--engine-options {word}: give NAME=VALUE, as slurm_partition=gpu")
        options[name] = _value(value, word)
    return options


def _value(text: str, word: str) -> Any:
    """The value as TOML reads it, or the text itself if it is not TOML. ``word`` is quoted in errors."""
    try:
        return tomllib.loads(f"value = {text}", parse_float=numeral)["value"]
    except OverflowError as error:
        raise InputError(f"--set {word}: {error}") from error
    except (ValueError, RecursionError):
        return text


PLUGIN = "--plugin"
WORDS = (
    PLUGIN,
    "--targets",
    "--attacks",
    "--epsilons",
    "--query-budgets",
    "--images",
    "--samples",
    "--alpha",
    "--seed",
    "--ceiling-samples",
    "--ceiling-samples-max",
    "--set",
)
"""The options that decide what is run, beside the suite, in the order in which a page shows them."""


def asked_options(arguments: argparse.Namespace, suite: Suite) -> list[str]:
    """The options that ask for the same again, without folders of this machine and without defaults."""
    by_name = arguments.suite in (None, *suite_names())
    words = ["--suite", suite.name if by_name else Path(arguments.suite).name]
    for option in WORDS:
        values = getattr(arguments, option.removeprefix("--").replace("-", "_"))
        if values not in (None, []):
            given = values if isinstance(values, list) else [values]
            words += [option, *(Path(value).name if option == PLUGIN else str(value) for value in given)]
    return words if suite.best_of or arguments.best_of is None else [*words, "--no-best-of"]
