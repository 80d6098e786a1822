"""``verify``: a board or a results folder against its records."""

from __future__ import annotations

import argparse
from collections import Counter

from benchmark.commands.plugins import load_plugins
from benchmark.recheck.verification import verify
from targets.data import cifar10


def main(arguments: argparse.Namespace) -> int:
    """Returns 0, or 1 where a clause is broken.

    Raises:
        StoreError: there is neither a results folder nor a board.
    """
    cifar10.use_folder(arguments.data)
    load_plugins(arguments.plugin)
    found: Counter[str] = Counter()
    for clause in verify(arguments.folder):
        print(clause, flush=True)
        found[clause.verdict] += 1
    result = f"{found['FAIL']} of {found['FAIL'] + found['ok']} clauses broken" if found["FAIL"] else "verified"
    print(f"\n{arguments.folder}: {result}; {found['note']} notes.")
    return 1 if found["FAIL"] else 0
