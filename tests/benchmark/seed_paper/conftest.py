"""The experiment on a tiny target, run once for all tests, and its report."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_tiny import run

from benchmark.seed_paper import Result, write_report


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seed_paper")


@pytest.fixture(scope="session")
def result(folder: Path) -> Result:
    """The experiment, run once."""
    return run(folder / "results")


@pytest.fixture(scope="session")
def report(folder: Path, result: Result) -> Path:
    """Its report."""
    write_report(result, folder / "report")
    return folder / "report"
