"""The benchmark from Python: a run with names or objects of one's own, boards, and access for a single attack."""

from benchmark.api.granted import Granted, grant
from benchmark.api.read import board, compare
from benchmark.api.result import Result
from benchmark.api.run import run

__all__ = ["Granted", "Result", "board", "compare", "grant", "run"]
