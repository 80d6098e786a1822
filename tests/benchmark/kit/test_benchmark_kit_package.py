"""Somebody else's packages, installed: a good one is there, a bad one is named."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from benchmark_forked import Forked
from benchmark_helpers import PATIENCE, environment, program

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


def as_pip_leaves_it(package: Path, site: Path) -> None:
    """What the program finds of an installed package: its files and who says which are its entry points."""
    name = package.name
    (package / name).rename(site / name)
    written = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = []
    for group, points in written["entry-points"].items():
        lines += [f"[{group}]", *(f"{point} = {module}" for point, module in points.items())]
    about = site / f"{name}-{written['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {written['version']}\n")
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables of a Python that has two packages more, the good one by pip."""
    # Not by importing it: setuptools then leaves the standard library's distutils in place, in this process for good.
    if not [*distributions(name="pip")]:
        pytest.skip("pip is not installed")
    folder = tmp_path_factory.mktemp("packages")
    good = package(folder, "goodpackage", "def moved(images):\n    return images * 0.99\n")
    site = folder / "site"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--no-compile", "--disable-pip-version-check", "--target", str(site), str(good)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    as_pip_leaves_it(package(folder, "badpackage", "import a_library_that_is_too_old\n"), site)
    variables = environment()
    return {**variables, "PYTHONPATH": f"{variables['PYTHONPATH']}:{site}"}


LEFT_OUT = (
    "plugin badpackage (badpackage.attack) was left out: "
    "ModuleNotFoundError: No module named 'a_library_that_is_too_old'"
)


def forked(folder: Path, installed: dict[str, str], *arguments: object) -> tuple[str, str]:
    """What a command that ends well says."""
    done = Forked(folder, *arguments, **installed)
    out, err = done.communicate(PATIENCE)
    assert done.returncode == 0, out + err
    return out, err


def test_list_has_the_good_one_and_names_the_bad_one(installed: dict[str, str], tmp_path: Path):
    done = program("list", "attacks", env=installed)
    assert done.returncode == 0
    assert "goodpackage-attack none Somebody else's." in " ".join(done.stdout.split())
    assert "badpackage-attack" not in done.stdout
    assert LEFT_OUT in done.stdout
    assert f"warning: {LEFT_OUT}" in done.stderr
    out, err = forked(tmp_path, installed, "list", "targets", "--json")
    assert {"goodpackage-target", "badpackage-target"} <= {entry["name"] for entry in json.loads(out)}
    assert LEFT_OUT in err


def test_they_run_and_are_checked(installed: dict[str, str], tmp_path: Path):
    out, _ = forked(
        tmp_path, installed, "run", "--attacks", "goodpackage-attack", "--targets", "goodpackage-target",
        "--epsilons", 0.5, "--images", 2, "--samples", 100, "--ceiling-samples", 100, "--quiet",
        "--results", tmp_path / "r",
    )  # fmt: skip
    assert "goodpackage-attack" in out
    out, _ = forked(tmp_path, installed, "check", "goodpackage-attack")
    assert "kept    process" in out
