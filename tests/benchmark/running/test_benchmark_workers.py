"""Worker processes: the records of one process, a death that costs one cell, and an end within seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from benchmark_forked import Forked, needs_fork
from benchmark_helpers import PATIENCE, by_attack, command, error_line, images, records, suite_file
from pandas.testing import assert_frame_equal

from benchmark.running.runner import worker_count
from benchmark.running.worker_process import check_same
from leaderboard import Store
from targets import InputError

PLUGIN = '''
import os
import signal
import sys
import time
from pathlib import Path

import torch
from attacks import Attack, NoAccess, Transfer, register

HERE = Path(__file__).parent


def told(word):
    with open(HERE / "told.txt", "a") as file:
        file.write(f"{word} {os.getpid()}\\n")


class Step(Attack):
    """A random direction."""

    access = NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        step = generator.normal(images.shape[1:])
        return (images + 0.9 * epsilon * step / step.flatten(1).norm(dim=1)[:, None, None, None]).clamp(0, 1)


@register("dies")
class Dies(Step):
    """Its process ends whenever it runs: the first time by itself, then it is killed."""

    def __call__(self, model, images, labels, epsilon, generator):
        told("dies")
        if not (HERE / "died").exists():
            (HERE / "died").touch()
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL)


class Closes(Step):
    """Says something and closes the stream behind it."""

    def __call__(self, model, images, labels, epsilon, generator):
        print("said", file=sys.stderr)
        sys.stderr.close()
        return super().__call__(model, images, labels, epsilon, generator)


for number in range(3):  # of two workers, one runs two
    known = {"__doc__": Closes.__doc__, "__module__": __name__}
    register(f"closes-{number}")(type(f"Closes{number}", (Closes,), known))


@register("over")
class Over(Step):
    """Raises what is no Exception."""

    def __call__(self, model, images, labels, epsilon, generator):
        raise GeneratorExit("over")


@register("waits")
class Waits(Step):
    """Does not end."""

    def __call__(self, model, images, labels, epsilon, generator):
        told("waits")
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            try:
                time.sleep(600)
            except BaseException:
                pass


def fit(module, images, answers, seed):
    told("fit")
    if "loky" in sys.modules:
        told(f"grows-to-{sys.modules['loky'].process_executor._MAX_MEMORY_LEAK_SIZE:.0e}")
    time.sleep(0.5)
    with torch.no_grad():
        module[1].weight.copy_(torch.randn(module[1].weight.shape))


class Uses(Step):
    """Trains a surrogate, or has it."""

    access = Transfer

    def __call__(self, model, images, labels, epsilon, generator):
        made = model.surrogate("its-own", lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)), fit)
        shift = made(images).detach().mean().tanh()
        return (images + shift * 0.01).clamp(0, 1)


for number in range(4):
    register(f"uses-{number}")(type(f"Uses{number}", (Uses,), {"__doc__": Uses.__doc__, "__module__": __name__}))
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "plugin.py"
    path.write_text(PLUGIN, encoding="utf-8")
    return path


def told(folder: Path, word: str) -> list[str]:
    """The processes that said so."""
    path = folder / "told.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [line.split()[1] for line in lines if line.startswith(word)]


def test_two_workers_give_the_records_of_one_process_and_train_a_surrogate_once(tmp_path: Path, plugin: Path):
    suite = suite_file(
        tmp_path / "s.toml",
        targets=["digits-sigma0.25", "digits-sigma0.50"],
        attacks=["clean", "gaussian", "nes", "uses-*"],
        best_of=True,
        query_budgets=[3],
        shard=2,
    )
    for workers in (0, 2):
        run = ["run", "--suite", suite, "--plugin", plugin, "--quiet", "--workers", workers]
        assert command(*run, "--results", tmp_path / f"{workers}") == 0
        (tmp_path / f"told{workers}.txt").write_text("\n".join(told(tmp_path, "fit")), encoding="utf-8")
        assert workers == 0 or len(told(tmp_path, "grows-to-4e+09")) == 2
        (tmp_path / "told.txt").unlink()
    names = ["clean", "gaussian", "nes", *(f"uses-{number}" for number in range(4)), "best-of transfer"]
    for name in names:
        one, two = records(tmp_path / "0", name), records(tmp_path / "2", name)
        assert len(one) == 8
        order = ["image", "clean_first_votes", "first_votes"]
        assert_frame_equal(
            one.sort_values(order, ignore_index=True), two.sort_values(order, ignore_index=True), check_exact=True
        )
        for index, pixels in images(tmp_path / "0", name).items():
            assert (pixels == images(tmp_path / "2", name)[index]).all()
    trainers = [(tmp_path / f"told{workers}.txt").read_text(encoding="utf-8").split() for workers in (0, 2)]
    assert [len(found) for found in trainers] == [2, 2]  # one a target
    assert str(os.getpid()) not in trainers[1]
    assert not [path for path in (tmp_path / "2" / "shared").iterdir() if path.name.startswith(".")]  # no lock is left


def test_a_worker_that_dies_costs_its_cell_which_is_tried_once_more_and_a_closed_stream_costs_nothing(
    tmp_path: Path, plugin: Path, capsys: pytest.CaptureFixture[str]
):
    suite = suite_file(tmp_path / "s.toml", attacks=["closes-*", "over", "clean", "dies", "gaussian"])
    run = ["run", "--suite", suite, "--plugin", plugin, "--quiet", "--workers", 2, "--results", tmp_path / "r"]
    assert command(*run) == 1
    cells = by_attack(tmp_path / "r")
    assert {name: cell.status for name, cell in cells.items()} == {
        **dict.fromkeys(["closes-0", "closes-1", "closes-2", "clean", "gaussian"], "ok"),
        **dict.fromkeys(["over", "dies"], "error"),
    }
    assert "GeneratorExit: over" in (cells["over"].error or "")
    assert len(set(told(tmp_path, "dies"))) == 2
    reason = cells["dies"].error or ""
    assert reason.startswith("WorkerDied: the process that ran this cell ended 2 times before it was done")
    assert "SIGKILL" in reason
    assert "dies failed: WorkerDied" in capsys.readouterr().out


DRAWN = """
import numpy as np
import torch
from targets import DATA, TARGETS, DataSet, Split, register

held = {}


def split(name):
    digits = DATA["digits"].split(name)
    if name not in held:
        held[name] = torch.from_numpy(np.random.default_rng().random(digits.images.shape, dtype=np.float32))
    return Split((digits.images + 0.3 * held[name]).clamp(0, 1), digits.labels)


DATA.add("drawn", DataSet("drawn", 10, (1, 8, 8), split))


@register("of-drawn", sigma=0.5, data="drawn")
def build():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
"""


def test_a_data_set_that_is_another_one_in_each_process_ends_a_run_with_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "drawn.py").write_text(DRAWN, encoding="utf-8")
    suite = suite_file(tmp_path / "s.toml", targets=["of-drawn"], shard=2)
    run = ["run", "--suite", suite, "--plugin", tmp_path / "drawn.py", "--quiet", "--results", tmp_path / "r"]
    assert command(*run, "--workers", 1) == 2
    line = error_line("\n".join(line for line in capsys.readouterr().err.splitlines() if "chance" not in line))
    assert line == "error: data set 'drawn' gives other images or labels each time it is loaded; seed its generator"
    assert Store.read(tmp_path / "r").cells() == []


def test_a_cell_that_is_another_one_in_a_worker_is_refused_with_what_differs():
    theirs = {"target": "t", "data": "d", "attack": "a", "weights": "1", "description": "x", "content": {"images": "i"}}
    check_same(theirs, {**theirs, "description": "said better"})
    with pytest.raises(InputError, match=r"^target 't', attack 'a': another version, weights each time it is loaded;"):
        check_same(theirs, {**theirs, "weights": "2", "version": "1"})
    with pytest.raises(InputError, match=r"^data set 'd' gives other images or labels each time"):
        check_same(theirs, {**theirs, "content": {"images": "j"}})


@needs_fork
@pytest.mark.parametrize(
    ("numbers", "workers"),
    [([signal.SIGINT], 2), ([signal.SIGINT, signal.SIGINT], 1), ([signal.SIGTERM], 1), ([signal.SIGKILL], 1)],
    ids=lambda value: "-".join(number.name for number in value) if isinstance(value, list) else str(value),
)
def test_workers_end_within_seconds_when_the_run_does(
    tmp_path: Path, plugin: Path, numbers: list[signal.Signals], workers: int
):
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "waits"], epsilons=[0.5, 1.0])
    run = Forked(
        tmp_path, "run", "--suite", suite, "--plugin", plugin, "--results", tmp_path / "r", "--workers", workers
    )
    waiting = _until(lambda: len(told(tmp_path, "waits")) == workers, PATIENCE)
    assert waiting, run.communicate(timeout=5)
    begun = time.monotonic()
    for number in numbers:
        run.send_signal(number)
        time.sleep(0.5)
    _, err = run.communicate(timeout=PATIENCE)
    assert _until(lambda: not any(map(_alive, told(tmp_path, "waits"))))
    assert time.monotonic() - begun < 60  # on a busy machine; an attack would take for ever
    if numbers in ([signal.SIGINT], [signal.SIGTERM]):  # a second one may end it before it has said so
        assert run.returncode == 130
        assert "Run the same command again to go on." in err
        assert "Traceback" not in err


def _until(happens: Any, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    return (
        "zombie" not in Path(f"/proc/{process}/status").read_text(encoding="utf-8") if Path("/proc").exists() else True
    )


ENDS = """
import os, sys
from benchmark.running.worker_process import _end_with_parent

for parent in (os.getpid(), 2 ** 22):
    child = os.fork()
    if child == 0:
        _end_with_parent(parent)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_fork
def test_a_worker_whose_run_ended_while_it_started_ends_too():
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.stdout.split(), done.returncode) == (["0", "1"], 0), done.stderr


@pytest.mark.parametrize("workers", ["-1", "99999999999"])
def test_a_number_of_workers_that_cannot_be_is_one_line(workers: str, capsys: pytest.CaptureFixture[str]):
    assert command("run", "--all", "--workers", workers) == 2
    assert error_line(capsys.readouterr().err).startswith(f"error: --workers is {workers}; give a number from 0 to")


@pytest.mark.parametrize(("missing", "expected"), [(0, 1), (39, 1), (40, 2), (100, 3)])
def test_workers_are_as_many_as_there_is_enough_to_do_for(monkeypatch: pytest.MonkeyPatch, missing: int, expected: int):
    monkeypatch.setattr("benchmark.running.runner.usable_cores", lambda: 3)
    monkeypatch.setattr("benchmark.running.runner.is_small", lambda target: True)
    found = [None] * missing + [SimpleNamespace(status="ok")] * (100 - missing)
    cells = [SimpleNamespace(held=lambda store, held=held: held) for held in found]
    work: Any = SimpleNamespace(target=SimpleNamespace(device=SimpleNamespace(type="cpu")), cells=cells, store=None)
    assert worker_count([work]) == expected
    monkeypatch.setattr("benchmark.running.runner.is_small", lambda target: False)
    assert worker_count([work]) == 1
