"""The command line: each verb's options, a file for verbs that belong together."""

from benchmark.options.parser import parser
from benchmark.options.program import program

__all__ = ["parser", "program"]
