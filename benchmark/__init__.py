"""The harness: suites, cells and the command line. The only room that knows the three others."""

import sys as _sys

if "abstention_bench" not in _sys.modules:  # first, so that our packages are found, no others of these names
    import benchmark.rooms  # noqa: F401
