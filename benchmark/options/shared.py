"""Options that several verbs have."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.numeral import numeral
from benchmark.options.verb import Verb


def number(text: str) -> float:
    """The value of an option that is a number."""
    try:
        return numeral(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {text!r}") from None
    except OverflowError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_results(verb: Verb) -> None:
    """The folder of cells."""
    verb.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")


def add_device(verb: Verb) -> None:
    """Where base classifiers run."""
    verb.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def add_quiet(verb: Verb, meaning: str = "print no progress") -> None:
    """Silence on the way."""
    verb.add_argument("--quiet", action="store_true", help=meaning)


def add_data(verb: Verb) -> None:
    """Where CIFAR-10 lies."""
    verb.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder that holds cifar-10-batches-py (default: $ABSTENTION_BENCH_DATA, else CIFAR-10 is downloaded)",
    )


def add_plugin(verb: Verb) -> None:
    """Files of the user's own."""
    verb.add_argument(
        "--plugin",
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="FILE.py|FILE.toml",
        help="Python files that register attacks or targets, or TOML files that describe targets",
    )
