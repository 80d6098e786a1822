"""Attacks that tests of engines run in workers, and the command that runs them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import suite_file

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
    time.sleep(float(os.environ.get("FIT_SECONDS", 0)))
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


class Needs(Step):
    """Trains a surrogate that other cells need, too; catches whatever that raises."""

    access = Transfer

    def __call__(self, model, images, labels, epsilon, generator):
        build = lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
        try:
            model.surrogate("of-both", build, fit_beside_others)
        except BaseException:
            told("caught")
        return super().__call__(model, images, labels, epsilon, generator)


for name in ("needs-first", "needs-last"):
    register(name)(type(name.title().replace("-", ""), (Needs,), {"__doc__": Needs.__doc__, "__module__": __name__}))


@register("went-on")
class WentOn(Step):
    """Says that it has been run."""

    def fault(self):
        (HERE / "went-on").touch()
'''

needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="dask.distributed is not installed")
needs_submitit = pytest.mark.skipif(find_spec("submitit") is None, reason="submitit is not installed")


def written(folder: Path) -> Path:
    """The plugin's file."""
    path = folder / "plugin.py"
    path.write_text(PLUGIN, encoding="utf-8")
    return path


def asked(plugin: Path, results: Path, attacks: list[str], *more: Any, **values: Any) -> list[Any]:
    """A command line."""
    suite = suite_file(results.with_suffix(".toml"), attacks=attacks, **values)
    return ["run", "--suite", suite, "--plugin", plugin, "--results", results, "--device", "cpu", "--quiet", *more]
