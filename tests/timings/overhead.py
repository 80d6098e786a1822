"""What a cell costs beside its work, by engine: ``python tests/timings/overhead.py FOLDER``, on Linux or macOS.

Runs a stub attack, which returns its images, on two images a cell, in a few cells and in many, by each engine, and
prints the table of docs/engines.md. CPU seconds are of all processes of the run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

FEW, MANY = 20, 220
"""Cells. What a cell costs is the difference between the two runs; what starting costs, what is left of the first."""

ENGINES = {
    "`--workers 0`": ["--workers", "0"],
    "`--workers 1`": ["--workers", "1"],
    "`--workers 2`": ["--workers", "2"],
    "`--engine dask --workers 1`": ["--engine", "dask", "--workers", "1"],
    "`--engine dask --workers 2`": ["--engine", "dask", "--workers", "2"],
}

STUB = '''
from attacks import Attack, NoAccess, register


@register("stub-of-overhead")
class Stub(Attack):
    """Sends each image as it is."""

    access = NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        return images
'''


def run(folder: Path, cells: int, options: list[str]) -> tuple[float, float]:
    """CPU and wall seconds of a run of so many cells, in a results folder of its own."""
    folder.mkdir(parents=True)
    (folder / "stub.py").write_text(STUB, encoding="utf-8")
    epsilons = [str(step / 1000) for step in range(1, cells + 1)]
    command = [
        sys.executable,
        "-m",
        "benchmark",
        "run",
        "--targets",
        "digits-sigma0.50",
        "--attacks",
        "stub-of-overhead",
    ]
    command += ["--plugin", str(folder / "stub.py"), "--epsilons", *epsilons, "--images", "2", "--samples", "100"]
    command += ["--results", str(folder / "results"), "--quiet", *options]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - begun


def main(folder: Path) -> None:
    """Measure each engine that is installed, and print its line."""
    print("| | starting, CPU s | a cell, CPU ms | a cell, wall ms |\n| --- | ---: | ---: | ---: |", flush=True)
    for number, (name, options) in enumerate(ENGINES.items()):
        if "dask" in options and find_spec("distributed") is None:
            continue
        few, many = (run(folder / f"{number}-{cells}", cells, options) for cells in (FEW, MANY))
        cpu, wall = ((many[i] - few[i]) / (MANY - FEW) for i in (0, 1))
        print(f"| {name} | {few[0] - FEW * cpu:.1f} | {1000 * cpu:.0f} | {1000 * wall:.0f} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
