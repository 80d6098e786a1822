"""The parser of the whole command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from benchmark.options.boards import add_boards
from benchmark.options.classifiers import add_classifiers
from benchmark.options.kit import add_kit
from benchmark.options.program import program
from benchmark.options.rechecks import add_rechecks
from benchmark.options.reproduce import add_reproduce
from benchmark.options.run import add_run
from benchmark.options.verb import Verb


class _Version(argparse.Action):
    """Prints the installed version, which is looked up only then, and ends."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"abstention-bench {version('abstention-bench')}")
        parser.exit(0)


def parser() -> Verb:
    """The parser of every verb."""
    root = Verb(
        prog=program(),
        description="Can an attacker make a certified classifier refuse to answer?",
        allow_abbrev=False,
    )
    root.add_argument("--version", action=_Version, help="print the version")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    for add in (add_run, add_kit, add_boards, add_rechecks, add_classifiers, add_reproduce):
        add(verbs)
    return root
