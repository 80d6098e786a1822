"""A table of answers that is finished."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_helpers import TARGET, command
from tables_small import SMALL, VERBS


@pytest.fixture(scope="module", params=VERBS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A verb, and the table of a run that nothing stopped."""
    path = tmp_path_factory.mktemp("answers") / "whole.tsv"
    assert command(request.param, TARGET, *SMALL, "--output", path) == 0
    return request.param, path
