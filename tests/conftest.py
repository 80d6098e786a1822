"""Workers for all cores, which wait for no disk; where the tests find CIFAR-10; and Ctrl-C as terminals send it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts its background jobs so, and theirs inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


MOST_WORKERS = 8
"""Each holds PyTorch and, with CIFAR-10 at hand, its images: about a gigabyte."""


LONGEST = (
    *("test_benchmark_engines.py", "test_readme.py", "test_benchmark_kit_new.py", "test_benchmark_workers.py"),
    *("test_benchmark_interrupted.py", "test_benchmark_engine_faults.py", "test_attacks_contract.py"),
    *("test_published.py", "test_targets_compiled.py", "test_benchmark_kit_package.py", "test_benchmark_swept.py"),
    *("test_faults_fuzz_board.py", "test_benchmark_determinism.py", "test_bench_load.py", "test_faults_killed.py"),
    *("test_wheel.py", "test_benchmark_data.py", "test_benchmark_recheck_published.py", "test_html_browser.py"),
)
"""Files that take longest, most of them with few tests. Begun first, none of them is left to one core at the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """File by file on all cores, unless ``-n`` says otherwise, a single file is asked for or seconds are measured."""
    option = config.option
    if option.benchmark_only or not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    single = len(config.args) == 1 and ".py" in config.args[0]
    if option.numprocesses is None and not (single or option.collectonly or option.usepdb):
        # One more than cores: in some tests a worker only waits for processes that it started.
        option.numprocesses, option.dist = min(cores() + 1, MOST_WORKERS), "loadfile"
        option.loadscopereorder = False  # which would begin with the files of most tests
    if option.numprocesses:
        option.benchmark_disable = True  # its tests are run once each; they would be stopped with a warning otherwise


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, each as it is."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_configure(config: pytest.Config) -> None:
    """One thread a worker and a program it starts: two parallel regions on the same cores slow each other tenfold.

    And no waiting for the disk in this process: what tests write must outlive kills, but no loss of power.
    """
    if config.option.benchmark_only:
        return
    os.fsync = lambda descriptor: None
    os.environ["OMP_NUM_THREADS"] = "1"  # read by whoever loads PyTorch later
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture(scope="session")
def cifar10_folder() -> Path:
    """The folder that holds ``cifar-10-batches-py``, which is never downloaded; skips where there is none."""
    from targets.cache import cache_folder
    from targets.data.cifar10 import VARIABLE

    named = os.environ.get(VARIABLE)
    beside = Path(__file__).parents[2] / "shared" / "data"
    for folder in (named and Path(named), beside, cache_folder()):
        if folder and (folder / "cifar-10-batches-py").is_dir():
            return folder
    pytest.skip(f"CIFAR-10 is not in ${VARIABLE}, {beside} or {cache_folder()}")


@pytest.fixture
def cifar10(cifar10_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, named by ``ABSTENTION_BENCH_DATA`` during the test."""
    from targets.data.cifar10 import VARIABLE

    monkeypatch.setenv(VARIABLE, str(cifar10_folder))
    return cifar10_folder
