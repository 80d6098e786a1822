"""The package's names are loaded when they are used, under both of its names."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
from benchmark_helpers import environment

import benchmark


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import benchmark, sys\n"
        "heavy = {'torch', 'numpy', 'pandas', 'scipy', 'attacks', 'targets', 'leaderboard'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from abstention_bench import run\n"
        "assert run is benchmark.run\n"
        "from benchmark import *\n"
        "assert grant is benchmark.grant"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr


def test_each_name_is_one_of_the_interface():
    alias = import_module("abstention_bench")
    for name in benchmark.__all__:
        assert getattr(benchmark, name) is getattr(alias, name)
        assert getattr(benchmark, name).__doc__
    assert sorted(benchmark.__all__) == sorted(benchmark.api.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = benchmark.no_such_name
