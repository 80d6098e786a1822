"""Where the tests find CIFAR-10, which they never download, and Ctrl-C as a terminal sends it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts its background jobs so, and theirs inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
