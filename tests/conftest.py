"""Where the tests find CIFAR-10. They never download it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cifar10_folder() -> Path:
    """The folder that holds ``cifar-10-batches-py``; skips where there is none."""
    from targets.cache import cache_folder
    from targets.cifar10 import VARIABLE

    named = os.environ.get(VARIABLE)
    beside = Path(__file__).parents[2] / "shared" / "data"
    for folder in (*([Path(named)] if named else []), beside, cache_folder()):
        if (folder / "cifar-10-batches-py").is_dir():
            return folder
    pytest.skip(f"CIFAR-10 is not in ${VARIABLE}, {beside} or {cache_folder()}")


@pytest.fixture
def cifar10(cifar10_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, named by ``ABSTENTION_BENCH_DATA`` during the test."""
    from targets.cifar10 import VARIABLE

    monkeypatch.setenv(VARIABLE, str(cifar10_folder))
    return cifar10_folder
