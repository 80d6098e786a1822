"""Cheap suites, the real program in a process of its own, and what a results folder holds."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from attacks import ATTACKS, Access, Attack, register
from benchmark.cli import main
from benchmark.plugins.kept_sources import KEPT
from benchmark.plugins.registries import Snapshot
from leaderboard import Store, StoredCell
from leaderboard.stored.records import COLUMNS

ROOT = Path(__file__).parents[2]
TARGET = "digits-sigma0.50"
TIMINGS = ("seconds_per_image",)
"""Keys of a board row that differ between two runs of the same suite."""
PATIENCE = 600
"""Seconds until a process that hangs is given up. Nothing is measured by it: a busy machine may take most of it."""

# Small enough to be quick, large enough that every attack moves some image. Given to attacks that have the field.
CHEAP = {
    "steps": 10,
    "epochs": 2,
    "queries": 16,
    "samples": 20,
    "search_steps": 2,
    "evaluations": 4,
    "settle_steps": 1,
    "settle_samples": 20,
    "coordinates": 2,
    "stepsize": 0.3,
}


STEADY = Path(__file__).with_name("benchmark_steady.py")


def cheap_settings() -> dict[str, dict[str, Any]]:
    """A few steps of every registered attack, on the surrogates of the plugin `STEADY`."""
    settings: dict[str, dict[str, Any]] = {}
    for name in ATTACKS:
        attack = ATTACKS[name]()
        fields = {f.name for f in dataclasses.fields(attack)}
        settings[name] = {key: value for key, value in CHEAP.items() if key in fields}
        if "architecture" in fields:
            settings[name]["architecture"] = f"steady-{attack.architecture}"  # type: ignore[attr-defined]
    settings["cw-transfer"]["initial_const"] = 100.0  # with the default's few steps it finds nothing
    return settings


def define(name: str, granted: type[Access], act: Callable[..., Any]) -> list[tuple[float, int]]:
    """Register an attack that does ``act``; returns the list of its calls: (epsilon, images)."""
    calls: list[tuple[float, int]] = []

    @register(name)
    class Defined(Attack):
        """An attack of a test."""

        access = granted

        def __call__(self, model, images, labels, epsilon, generator):
            calls.append((epsilon, len(images)))
            result = act(model, images)
            return images if result is None else result

    return calls


def suite_file(path: Path, settings: dict[str, dict[str, Any]] | None = None, **values: Any) -> Path:
    """A TOML file of a suite that runs in well under a second, with these values over it."""
    table = {
        "targets": [TARGET],
        "attacks": ["clean", "gaussian"],
        "epsilons": [0.5],
        "images": 4,
        "samples": 100,
        "ceiling_samples": 200,
        **values,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    for name, parameters in (settings or {}).items():
        lines.append(f'[settings."{name}"]')
        lines += [f"{key} = {json.dumps(value)}" for key, value in parameters.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def environment(**values: str) -> dict[str, str]:
    """For a process of its own: this checkout's packages, and one thread as in this process (see conftest)."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **values}


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """The real program, as a user starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **{"env": environment(), **options},
    )


def program(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """The real program, run to its end."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def command(*arguments: object) -> int:
    """The command line in this process, which has forgotten all plugins once it is done."""
    with as_before():
        return main([str(argument) for argument in arguments])


@contextmanager
def as_before() -> Iterator[None]:
    """Registries, plugins' modules and where they are looked for are afterwards as they were."""
    registries, kept = Snapshot.take(), KEPT.snapshot()
    modules, path = set(sys.modules), list(sys.path)
    try:
        yield
    finally:
        folders = [Path(folder) for folder in KEPT.folders]
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            beside = file is not None and any(Path(file).is_relative_to(folder) for folder in folders)
            if name.startswith("abstention_bench_plugin_") or beside:
                del sys.modules[name]
        sys.path[:] = path
        registries.restore()
        KEPT.restore(kept)


def run(suite: Path, results: Path, *arguments: object) -> int:
    """``run --quiet`` of a suite file in this process."""
    # In this process alone: a worker would not know the attacks that tests define.
    workers = () if "--workers" in arguments else ("--workers", 0)
    return command("run", "--suite", suite, "--results", results, "--device", "cpu", "--quiet", *workers, *arguments)


def records(results: Path, attack: str) -> pd.DataFrame:
    """All records of an attack in a results folder by image, without the one column of timings."""
    store = Store.read(results)
    frames = [store.records(c.key) for c in store.cells() if c.settings["attack"] == attack and c.status == "ok"]
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS)).drop(columns="seconds")
    return pd.concat(frames).drop(columns="seconds").sort_values("image", ignore_index=True)


def images(results: Path, attack: str) -> dict[int, np.ndarray[Any, Any]]:
    """What an attack returned, by image index."""
    store = Store.read(results)
    found: dict[int, np.ndarray[Any, Any]] = {}
    for cell in store.cells():
        if cell.settings["attack"] == attack and cell.status == "ok":
            found.update(zip(cell.settings["images"], store.images(cell.key), strict=True))
    return found


def board(results: Path) -> list[dict[str, Any]]:
    """The rows of ``leaderboard.json`` without timings."""
    rows = json.loads((results / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    return [{key: value for key, value in row.items() if key not in TIMINGS} for row in rows]


def error_line(text: str) -> str:
    """The one line that standard error must hold, checked to be one and no traceback."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("error: ")
    assert "Traceback" not in text
    return lines[0]


SLOW_PLUGIN = '''
import time
import attacks
from attacks import Attack, NoAccess


@attacks.register("slow")
class Slow(Attack):
    """Takes its time, then a random direction."""

    access = NoAccess
    pause: float = 0.1

    def __call__(self, model, images, labels, epsilon, generator):
        time.sleep(self.pause)
        step = generator.normal(images.shape[1:])
        return (images + 0.9 * epsilon * step / step.flatten(1).norm(dim=1)[:, None, None, None]).clamp(0, 1)
'''


def nothing(model: object, images: Tensor) -> None:
    """Do what an attack does that sends the originals."""


def by_attack(results: Path) -> dict[str, StoredCell]:
    return {cell.settings["attack"]: cell for cell in Store.read(results).cells()}
