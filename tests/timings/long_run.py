"""The memory of a run of very many cells, as it goes: ``python tests/timings/long_run.py FOLDER CELLS``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attacks
from attacks import ATTACKS, Attack, WhiteBox
from benchmark.key import settings_key
from benchmark.running.runner import run
from benchmark.suite import Suite
from benchmark.terminal.progress import Quiet
from leaderboard import Store

TARGET = "digits-sigma0.50"


@contextmanager
def stub() -> Iterator[str]:
    """An attack that sends each image as it is, registered for as long as this lasts; its name."""
    name = "stub-of-a-long-run"

    @attacks.register(name)
    class Stub(Attack):
        """Sends each image as it is."""

        access = WhiteBox

        def __call__(self, model: Any, images: Any, labels: Any, epsilon: Any, generator: Any) -> Any:
            return images

    try:
        yield name
    finally:
        ATTACKS.remove(name)


class Resident(Quiet):
    """Notes the memory of this process in bytes, after every so many cells."""

    def __init__(self, every: int) -> None:
        self.every, self.cells = every, 0
        self.found: dict[int, int] = {}

    def finish(self, *arguments: Any, **options: Any) -> None:
        self.cells += 1
        if self.cells % self.every == 0:
            self.found[self.cells] = resident()


def resident() -> int:
    """Bytes of this process in memory; only on Linux."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return 1024 * int(line.split()[1])


def memory(folder: Path, count: int, every: int) -> dict[int, int]:
    """Bytes in memory by the number of cells run."""
    with stub() as name:
        epsilons = tuple(step / count for step in range(1, count + 1))
        suite = Suite("long", (TARGET,), (name,), epsilons, images=1, samples=100, ceiling_samples=100)
        noted = Resident(every)
        summary = run(suite, Store.open(folder, settings_key), "cpu", noted)
    assert summary.ran == count
    return noted.found


if __name__ == "__main__":
    for cells, size in memory(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[2]) // 20).items():
        print(f"{cells:,} cells: {size / 1e6:,.0f} MB", flush=True)
