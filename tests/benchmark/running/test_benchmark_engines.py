"""Engines: the same records from each, and faults that are injected into workers."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import by_attack, command, error_line, images, records, start, suite_file
from pandas.testing import assert_frame_equal

from leaderboard import Store

PLUGIN = '''
import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path

import torch
from attacks import Attack, NoAccess, Transfer, register

HERE = Path(__file__).parent


def told(word):
    with open(HERE / "told.txt", "a") as file:
        file.write(f"{word} {os.getpid()} {os.getppid()}\\n")


class Step(Attack):
    """A random direction, after a fault."""

    access = NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        self.fault()
        step = generator.normal(images.shape[1:])
        return (images + 0.9 * epsilon * step / step.flatten(1).norm(dim=1)[:, None, None, None]).clamp(0, 1)

    def fault(self):
        pass


def raises(error):
    raise error


def in_a_c_loop():
    re.match("(a+)+b", "a" * 60)  # holds Python's lock for years


def swallows():
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass


def kept_its_host_alive():
    told("hosted")
    time.sleep(3 if not (HERE / "killed").exists() else 0)


FAULTS = {
    "fine": lambda: None,
    "exits": lambda: os._exit(3),
    "ends": lambda: sys.exit(0),
    "interrupts": lambda: raises(KeyboardInterrupt("mine")),
    "cancels": lambda: raises(asyncio.CancelledError("mine")),
    "generator-exit": lambda: raises(GeneratorExit("mine")),
    "closes": lambda: (sys.stdout.close(), os.close(1)),
    "moves": lambda: os.chdir("/"),
    "loops": in_a_c_loop,
    "swallows": swallows,
    "eats": lambda: torch.ones(10**9),
    "hosted": kept_its_host_alive,
}
for name, fault in FAULTS.items():
    known = {"__doc__": Step.__doc__, "__module__": __name__, "fault": staticmethod(fault)}
    register(name)(type(name.title().replace("-", ""), (Step,), known))


def fit(module, images, answers, seed):
    told("fit")
    time.sleep(2)
    with torch.no_grad():
        module[1].weight.copy_(torch.randn(module[1].weight.shape))


@register("uses")
class Uses(Step):
    """Trains a surrogate, or has it."""

    access = Transfer

    def __call__(self, model, images, labels, epsilon, generator):
        made = model.surrogate("its-own", lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)), fit)
        return (images + made(images).detach().mean().tanh() * 0.01).clamp(0, 1)


def fit_beside_others(module, images, answers, seed):
    told("fit")
    begun = time.monotonic()
    while not (HERE / "went-on").exists():  # the other cells go on while this one trains
        if time.monotonic() - begun > 300:
            raise TimeoutError("nobody else went on")
        time.sleep(0.05)


@register("needs")
class Needs(Step):
    """Trains a surrogate that another cell needs, too; catches whatever that raises."""

    access = Transfer

    def __call__(self, model, images, labels, epsilon, generator):
        build = lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
        try:
            model.surrogate("of-both", build, fit_beside_others)
        except BaseException:
            told("caught")
        return super().__call__(model, images, labels, epsilon, generator)


@register("went-on")
class WentOn(Step):
    """Says that it has been run."""

    def fault(self):
        (HERE / "went-on").touch()
'''

needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="dask.distributed is not installed")
needs_submitit = pytest.mark.skipif(find_spec("submitit") is None, reason="submitit is not installed")

ENGINES = [
    pytest.param(["--workers", 1], id="local-1"),
    pytest.param(["--workers", 2], id="local-2"),
    pytest.param(["--engine", "dask", "--workers", 2], id="dask-2", marks=needs_dask),
    pytest.param(
        # submitit ends local jobs after two minutes, which a busy machine may take to start one
        [*("--engine", "submitit", "--workers", 2), *("--engine-options", "cluster=local", "timeout_min=60")],
        id="submitit-2",
        marks=needs_submitit,
    ),
]
# Engines that end their workers at exit may do so while sockets are still open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engines") / "plugin.py"
    path.write_text(PLUGIN, encoding="utf-8")
    return path


def asked(plugin: Path, results: Path, attacks: list[str], *more: Any, **values: Any) -> list[Any]:
    suite = suite_file(results.with_suffix(".toml"), attacks=attacks, **values)
    return ["run", "--suite", suite, "--plugin", plugin, "--results", results, "--device", "cpu", "--quiet", *more]


SAME = ["clean", "nes", "square", "uses"]  # and the best of two


@pytest.fixture(scope="module")
def whole(plugin: Path) -> Path:
    """The results of one process."""
    results = plugin.parent / "whole"
    assert command(*asked(plugin, results, SAME, "--workers", 0, shard=2, query_budgets=[3], best_of=True)) == 0
    return results


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_and_worker_count_gives_the_same_records(
    plugin: Path, whole: Path, tmp_path: Path, engine: list[Any], capsys: pytest.CaptureFixture[str]
):
    few = "submitit" in engine  # each of its jobs is a process that hosts another
    attacks, cells = (["uses"], 2) if few else ([*SAME, "best-of score"], 10)
    ran = [name for name in attacks if name in SAME]
    assert command(*asked(plugin, tmp_path / "r", ran, *engine, shard=2, query_budgets=[3], best_of=not few)) == 0
    assert f"{cells} cells run, 0 stored already, 0 failed." in capsys.readouterr().out
    for name in attacks:
        order = ["image"]
        one, two = (records(results, name).sort_values(order, ignore_index=True) for results in (whole, tmp_path / "r"))
        assert len(one) == 4
        assert_frame_equal(one, two, check_exact=True)
        for index, pixels in images(whole, name).items():
            assert (pixels == images(tmp_path / "r", name)[index]).all()


SURVIVED = {"moves": "ok", "closes": "ok", "fine": "ok", "clean": "ok"}
REASONS = {
    "exits": "WorkerDied: the process that ran this cell ended 2 times before it was done",
    "ends": "SystemExit: 0",
    "interrupts": "KeyboardInterrupt: mine",
    "cancels": "asyncio.exceptions.CancelledError: mine",
    "generator-exit": "GeneratorExit: mine",
    "loops": "TimeLimit: the attack took longer than --cell-timeout 3",
    "swallows": "TimeLimit: the attack took longer than --cell-timeout 3",
    "eats": "OutOfMemory: the attack wanted more than --cell-memory 1",
}


@pytest.mark.skipif(not os.path.exists("/proc"), reason="memory is limited on Linux only")
def test_whatever_an_attack_does_only_its_own_cell_fails_with_the_reason(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    limits = ("--cell-timeout", 3, "--cell-memory", 1)
    assert command(*asked(plugin, Path("r"), [*REASONS, *SURVIVED], *limits)) == 1
    cells = by_attack(tmp_path / "r")
    assert {name: cell.status for name, cell in cells.items()} == {**dict.fromkeys(REASONS, "error"), **SURVIVED}
    for name, reason in REASONS.items():
        assert (cells[name].error or "").strip().splitlines()[-1].startswith(reason), cells[name].error
    assert "in in_a_c_loop" in (cells["loops"].error or "")  # where it was when its time was up
    assert sorted(path.name for path in (tmp_path / "r" / "shared").glob(".*")) == []


@pytest.mark.parametrize("engine", ENGINES[1:3])
def test_no_worker_waits_for_what_another_computes_while_there_are_other_cells(
    plugin: Path, tmp_path: Path, engine: list[Any]
):
    """The surrogate's training ends when the last cell has been run. So whoever waits for it first, waits for ever."""
    told = plugin.parent / "told.txt"
    for path in (told, plugin.parent / "went-on"):
        path.unlink(missing_ok=True)
    asks = asked(plugin, tmp_path / "r", ["needs", "went-on"], *engine, shard=2, epsilons=[0.25, 0.5])
    assert command(*asks) == 0
    cells = Store.read(tmp_path / "r").cells()
    assert len(cells) == 8
    assert all(cell.status == "ok" and cell.error is None for cell in cells)
    words = [line.split()[0] for line in told.read_text().splitlines()]
    assert words.count("fit") == 1
    assert words.count("caught") >= 1


@needs_dask
def test_a_dask_worker_that_is_killed_costs_no_cell(plugin: Path, tmp_path: Path):
    def kill() -> None:
        while not (told.exists() and told.read_text().endswith("\n")):  # it is there before its first line is
            time.sleep(0.05)
        (plugin.parent / "killed").touch()
        (_, _, host) = told.read_text().splitlines()[0].split()
        os.kill(int(host), signal.SIGKILL)

    told = plugin.parent / "told.txt"
    told.unlink(missing_ok=True)
    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    engine = ("--engine", "dask", "--workers", 1)
    assert command(*asked(plugin, tmp_path / "r", ["hosted", "clean"], *engine)) == 0
    assert (plugin.parent / "killed").exists()
    assert {cell.status for cell in Store.read(tmp_path / "r").cells()} == {"ok"}
    tries = [line for line in told.read_text().splitlines() if line.startswith("hosted")]
    assert len({line.split()[1] for line in tries}) == 2


def test_two_runs_on_one_folder_train_a_surrogate_once(plugin: Path, tmp_path: Path):
    told = plugin.parent / "told.txt"
    told.unlink(missing_ok=True)
    asks = asked(plugin, tmp_path / "r", ["uses", "clean"], "--workers", 0, shard=2)
    runs = [start(*asks), start(*asks)]
    for run in runs:
        assert run.wait(timeout=600) == 0, run.communicate()
        run.communicate()
    assert len(Store.read(tmp_path / "r").cells()) == 4
    assert [line.split()[0] for line in told.read_text().splitlines()] == ["fit"]


def test_a_dry_run_writes_nothing_and_says_what_is_missing(
    plugin: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before = sorted(path.name for path in whole.rglob("*"))
    values = {"shard": 2, "query_budgets": [3], "best_of": True}
    assert command(*asked(plugin, tmp_path / "none", SAME, "--dry-run", **values)) == 0
    out = capsys.readouterr().out
    assert "10 cells: 0 stored already, 10 to run.\nNothing like them is measured in the results folder yet" in out
    assert not (tmp_path / "none").exists()

    assert command(*asked(plugin, whole, SAME, "--dry-run", "--epsilons", 0.5, 1.0, "--workers", 2, **values)) == 0
    out = capsys.readouterr().out
    assert "20 cells: 10 stored already, 10 to run." in out
    assert "with 2, and 1.6e+03 noise samples." not in out  # the attacks' own samples count, too
    assert "of one worker, or" in out
    assert sorted(path.name for path in whole.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "tcp://here:1"], "--scheduler is an option of --engine dask; add that, or leave it out"),
        (["--engine-options", "a=1"], "--engine-options are options of --engine submitit; add that, or leave them out"),
        (["--engine", "submitit", "--engine-options", "a"], "--engine-options a: give NAME=VALUE, as slurm_partition"),
        (["--cell-timeout", 0], "--cell-timeout is 0; give a number above 0"),
        (["--cell-memory", -1], "--cell-memory is -1; give a number above 0"),
        (["--cell-timeout", 1, "--workers", 0], "--workers is 0, this process alone; engines and limits need 1"),
        (["--engine", "dask", "--workers", 0], "--workers is 0, this process alone; engines and limits need 1"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    plugin: Path, tmp_path: Path, options: list[Any], message: str, capsys: pytest.CaptureFixture[str]
):
    assert command(*asked(plugin, tmp_path / "r", ["clean"], *options)) == 2
    assert error_line(capsys.readouterr().err).startswith(f"error: {message}")


@pytest.mark.parametrize(("engine", "package"), [("dask", "distributed"), ("submitit", "submitit")])
def test_a_missing_package_is_one_line_that_says_what_to_install(
    plugin: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    engine: str,
    package: str,
):
    monkeypatch.setitem(sys.modules, package, None)
    assert command(*asked(plugin, tmp_path / "r", ["clean"], "--engine", engine)) == 2
    line = error_line(capsys.readouterr().err)
    assert line == f"error: --engine {engine} needs a package: python -m pip install {package}"
