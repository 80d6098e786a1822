"""The harness: suites, cells and the command line. The only room that knows the three others.

>>> from benchmark import run
>>> result = run(targets="digits-sigma0.50", attacks=["clean", "margin"], epsilons=0.5, images=8)

The names below are the whole Python interface of this package; docs/api.md explains them. They are loaded when they
are first used, so that importing the package alone loads neither torch nor pandas.
"""

import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if "abstention_bench" not in _sys.modules:  # first, so that our packages are found, no others of these names
    import benchmark.rooms  # noqa: F401

if _TYPE_CHECKING:
    from benchmark.api import Granted, Result, board, compare, grant, run

__all__ = ["Granted", "Result", "board", "compare", "grant", "run"]


def __getattr__(name: str) -> _Any:
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("benchmark.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
