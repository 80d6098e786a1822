"""The parser of a verb, which says in one line what is wrong."""

from __future__ import annotations

import argparse
from typing import NoReturn, TypeAlias

from benchmark.message import one_line


class Verb(argparse.ArgumentParser):
    """Ends the program with one line and exit code 2 where a command line is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {one_line(message)}; see {self.prog} --help\n")


Verbs: TypeAlias = "argparse._SubParsersAction[Verb]"
"""What verbs are added to."""
