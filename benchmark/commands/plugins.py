"""The plugins of a command: installed ones, and the files that it names."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from attacks import ATTACKS
from benchmark.message import one_line
from benchmark.plugins.attributes import unannotated
from benchmark.plugins.loading import load_file, load_installed


def load_plugins(files: Iterable[Path]) -> list[str]:
    """Load every plugin. A bad installed one gets a warning; a bad file raises :class:`InputError`.

    A class attribute that looks like a hyper-parameter and is none gets a warning, too.

    Returns:
        A line for each installed one that was left out.
    """
    before = set(ATTACKS)
    problems = load_installed()
    for problem in problems:
        print(f"warning: {one_line(problem)}", file=sys.stderr)
    for path in files:
        load_file(path)
    for name in ATTACKS:
        for line in unannotated(ATTACKS[name]) if name not in before else []:
            print(f"warning: attack {name!r}: {one_line(line)}", file=sys.stderr)
    return problems
