"""What a results folder of thousands of cells costs: publishing it, and planning a run that finds all of it.

``python tests/timings/load.py make FOLDER CELLS`` writes a folder of made-up records (see ``synthetic_store.py``).
``python tests/timings/load.py measure FOLDER publish|plan`` prints a line of JSON; each in a process of its own, since
the memory is the most that the process ever held. ``publish`` is the command itself, its start included.
``python tests/timings/load.py plot LINES.jsonl PLOT.svg`` prints the table of docs/performance.md and draws the plot.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Measured = dict[str, Any]


def measure(folder: Path, what: str) -> Measured:
    """Wall and CPU seconds, and the most memory in bytes."""
    count = len(list((folder / "cells").glob("*.json")))
    if what == "publish":
        whose, before, begun = resource.RUSAGE_CHILDREN, 0.0, time.perf_counter()
        with tempfile.TemporaryDirectory() as output:
            command = ["publish", "--results", str(folder), "--output", str(Path(output) / "board")]
            subprocess.run([sys.executable, "-m", "benchmark", *command], check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - begun
    else:
        whose = resource.RUSAGE_SELF
        before, seconds = _plan(folder, count)
    after = resource.getrusage(whose)
    cpu_seconds = after.ru_utime + after.ru_stime - before
    return {
        "what": what,
        "cells": count,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "bytes": 1024 * after.ru_maxrss,
    }


def _plan(folder: Path, count: int) -> tuple[float, float]:
    """Look up each cell as a run does. CPU seconds before that, which importing and loading took; its wall seconds."""
    from synthetic_store import REQUEST, load_cells

    from benchmark.key import settings_key
    from benchmark.running.work import Work
    from benchmark.terminal.progress import Quiet
    from leaderboard import Store

    cells = load_cells(count)
    before, begun = time.process_time(), time.perf_counter()
    store = Store.open(folder, settings_key)
    targets = {cell.target.name: cell.target for cell in cells}
    works = {name: Work(cells[0].suite, target, store, REQUEST, Quiet()) for name, target in targets.items()}
    assert all(works[cell.target.name].held(cell) for cell in cells)
    return before, time.perf_counter() - begun


def table(measured: Sequence[Measured]) -> str:
    """A line for each number of cells, before and after."""
    lines = ["| | cells | CPU seconds | wall seconds | memory, GB |", "| --- | ---: | ---: | ---: | ---: |"]
    for m in measured:
        name = f"{m['what']}, {m.get('when', 'now')}"
        values = f"{m['cpu_seconds']:.1f} | {m['seconds']:.0f} | {m['bytes'] / 1e9:.2f}"
        lines.append(f"| {name} | {m['cells']:,} | {values} |")
    return "\n".join(lines)


def plot(measured: Sequence[Measured], path: Path) -> None:
    """CPU seconds and memory against the number of cells."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys((m["what"], m.get("when", "now")) for m in measured))
    with matplotlib.rc_context({"svg.hashsalt": "load", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
        for what, when in names:
            points = sorted(
                (m for m in measured if (m["what"], m.get("when", "now")) == (what, when)), key=lambda m: m["cells"]
            )
            cells = [m["cells"] for m in points]
            color, style = "#3b6ea5" if what == "publish" else "#b5651d", "o--" if when == "before" else "o-"
            axes[0].plot(cells, [m["cpu_seconds"] for m in points], style, color=color, label=f"{what}, {when}")
            axes[1].plot(cells, [m["bytes"] / 1e9 for m in points], style, color=color)
        for axis, label in zip(axes, ("CPU seconds", "memory of the process, GB"), strict=True):
            axis.set(xlabel="cells of 1,000 records", ylabel=label, xlim=0, ylim=0)
            axis.grid(alpha=0.3)
        axes[0].legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def main(arguments: Sequence[str]) -> None:
    """One of the three commands."""
    if arguments[0] == "make":
        from synthetic_store import fill

        fill(Path(arguments[1]), int(arguments[2]))
    elif arguments[0] == "measure":
        print(json.dumps(measure(Path(arguments[1]), arguments[2])))
    else:
        measured = [json.loads(line) for line in Path(arguments[1]).read_text().splitlines()]
        print(table(measured))
        plot(measured, Path(arguments[2]))


if __name__ == "__main__":
    main(sys.argv[1:])
