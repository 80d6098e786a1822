"""Somebody else's packages, really installed, in a fresh environment: a good one is there, a bad one is named."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from benchmark_helpers import environment, program

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "1.2"

[project.entry-points."abstention_bench.attacks"]
{name} = "{name}.attack"

[project.entry-points."abstention_bench.targets"]
{name} = "{name}.target"

[tool.setuptools]
packages = ["{name}"]
"""

ATTACK = '''"""An attack."""

from attacks import Attack, NoAccess, register

from {name}.helper import moved


@register("{name}-attack")
class Mine(Attack):
    """Somebody else's."""

    access = NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        return moved(images)
'''

TARGET = '''"""A target."""

import torch

from targets import register


@register("{name}-target", sigma=0.5, data="digits")
def linear():
    """Somebody else's."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
'''


def package(folder: Path, name: str, helper: str) -> Path:
    """The sources of one."""
    inner = folder / name / name
    inner.mkdir(parents=True)
    (folder / name / "pyproject.toml").write_text(PROJECT.format(name=name), encoding="utf-8")
    for file, text in {
        "__init__.py": "",
        "attack.py": ATTACK.format(name=name),
        "target.py": TARGET.format(name=name),
        "helper.py": helper,
    }.items():
        (inner / file).write_text(text, encoding="utf-8")
    return folder / name


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables of a Python that has two packages more."""
    # Not by importing it: setuptools then leaves the standard library's distutils in place, in this process for good.
    if not [*distributions(name="pip")]:
        pytest.skip("pip is not installed")
    folder = tmp_path_factory.mktemp("packages")
    sources = [
        package(folder, "goodpackage", "def moved(images):\n    return images * 0.99\n"),
        package(folder, "badpackage", "import a_library_that_is_too_old\n"),
    ]
    site = folder / "site"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--disable-pip-version-check", "--target", str(site), *map(str, sources)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    variables = environment()
    return {**variables, "PYTHONPATH": f"{variables['PYTHONPATH']}:{site}"}


LEFT_OUT = (
    "plugin badpackage (badpackage.attack) was left out: "
    "ModuleNotFoundError: No module named 'a_library_that_is_too_old'"
)


def test_list_has_the_good_one_and_names_the_bad_one(installed: dict[str, str]):
    done = program("list", "attacks", env=installed)
    assert done.returncode == 0
    assert "goodpackage-attack none Somebody else's." in " ".join(done.stdout.split())
    assert "badpackage-attack" not in done.stdout
    assert LEFT_OUT in done.stdout
    assert f"warning: {LEFT_OUT}" in done.stderr
    done = program("list", "targets", "--json", env=installed)
    assert {"goodpackage-target", "badpackage-target"} <= {entry["name"] for entry in json.loads(done.stdout)}
    assert LEFT_OUT in done.stderr


def test_they_run_and_are_checked(installed: dict[str, str], tmp_path: Path):
    done = program(
        "run", "--attacks", "goodpackage-attack", "--targets", "goodpackage-target", "--epsilons", 0.5, "--images", 2,
        "--samples", 100, "--ceiling-samples", 100, "--quiet", env=installed, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "goodpackage-attack" in done.stdout
    done = program("check", "goodpackage-attack", env=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "kept    process" in done.stdout
