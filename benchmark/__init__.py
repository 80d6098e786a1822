"""The harness: suites, cells and the command line. The only room that knows the three others."""

import sys as _sys

if "abstention_bench" not in _sys.modules:  # before anything else of ours, so that it is ours that is found
    import benchmark.rooms  # noqa: F401
