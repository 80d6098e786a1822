"""The command line. Nothing heavy is imported here: each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.commands.signals import INTERRUPTED
from benchmark.message import one_line
from benchmark.options import parser
from benchmark.options.hints import did_you_mean
from benchmark.terminal.console import tolerant


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0: done. 1: done, but cells failed or are damaged, or the output could not be written. 2: bad input, explained in
    one line. 130: interrupted.
    """
    with tolerant() as problems:
        code = _main(arguments)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return code or int(bool(problems))


def _main(arguments: Sequence[str] | None) -> int:
    chosen, strange = parser().parse_known_args(arguments)
    if strange:
        if not strange[0].startswith("-"):
            chosen.parser.error(f"{strange[0]!r} is one argument too many")
        chosen.parser.error(f"unknown option {strange[0]}{did_you_mean(strange[0], chosen.parser)}")
    _check_paths(chosen)
    # By default OpenMP threads spin while they wait. On a machine shared with another program that costs a factor of
    # ten. The variable has to be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from importlib import import_module

    from leaderboard.errors import StoreError

    try:
        code: int = import_module(chosen.command).main(chosen)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        from targets.errors import InputError, TargetError  # they load torch, which not every command needs

        if not isinstance(error, InputError | TargetError | StoreError):
            raise
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    return code


def _check_paths(chosen: argparse.Namespace) -> None:
    """End with one clear line for a path that no file can have. Python's own errors for those come late."""
    for name, value in vars(chosen).items():
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path):
                try:
                    os.lstat(path)
                except ValueError:
                    chosen.parser.error(f"{name}: {str(path)!r} is no path, since it holds a zero character")
                except OSError as error:
                    if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
                        chosen.parser.error(f"{name}: {path} is no path: {error.strerror}")
