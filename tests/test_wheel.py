"""The wheel holds every file of the four packages, and does the main job outside the checkout, whatever lies there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from benchmark.rooms import ALIAS, ROOMS

ROOT = Path(__file__).parents[1]
NOT_SHIPPED = ("leaderboard/published/", "attacks/README.md")
"""Of this repository, and no part of the program."""

PROJECT = ("pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout stays as it is."""
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__", "published"))
    for name in PROJECT:
        shutil.copy(ROOT / name, copy)
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(built)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=False)
    if "No module named 'setuptools'" in done.stderr:
        pytest.skip("setuptools is not installed; .ci/run builds the wheel")
    assert done.returncode == 0, done.stderr
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with the wheel's content, and the command, as pip would put them there."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (entry,) = folder.glob("*.dist-info/entry_points.txt")
    assert f"abstention-bench = {ALIAS}:main" in entry.read_text(encoding="utf-8")
    (folder / "abstention-bench").write_text(f"import sys\nfrom {ALIAS} import main\nsys.exit(main())\n")
    return folder


def in_tree() -> set[str]:
    """Every file of the four packages that belongs to the program."""
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file())
    names = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    return {name for name in names if not name.startswith(NOT_SHIPPED) and not Path(name).name.startswith(".")}


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    alias = {f"{ALIAS}/{name}" for name in ("__init__.py", "py.typed")}
    assert held == in_tree() | alias
    assert {"benchmark/suites/digits.toml", "targets/weights/digits-sigma0.50.safetensors"} <= held
    assert {f"{package}/py.typed" for package in (*ROOMS, ALIAS)} <= held


def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    files = [file for room in ROOMS for file in (ROOT / room).rglob("__init__.py")]
    assert {file.parent.relative_to(ROOT).as_posix().replace("/", ".") for file in files} | {ALIAS} == set(listed)


def test_what_only_one_command_needs_is_an_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[><=\[]", text)[0] for text in project["dependencies"]}
    assert needed >= {"foolbox", "adversarial-robustness-toolbox", "torchvision", "tabulate", "pandas", "scipy"}
    assert "matplotlib" not in needed
    assert [text.startswith("matplotlib") for text in project["optional-dependencies"]["reproduce"]] == [True]


def program(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command of the wheel, in a folder where every name of ours is somebody else's."""
    for name in ("attacks.py", "benchmark.py", "leaderboard.py"):
        (folder / name).write_text('raise SystemExit("not ours")\n', encoding="utf-8")
    (folder / "targets").mkdir(exist_ok=True)
    (folder / "targets" / "__init__.py").write_text('raise SystemExit("not ours")\n', encoding="utf-8")
    # As Python starts an installed script: its own folder comes first, and PYTHONPATH before what is installed.
    path = os.pathsep.join([str(folder), str(installed)])
    return subprocess.run(
        [sys.executable, str(installed / "abstention-bench"), *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_the_main_job_outside_the_checkout_where_others_have_our_names(installed: Path, tmp_path: Path):
    chosen = ["--targets", "digits-sigma0.50", "--attacks", "clean", "tv-transfer", "--epsilons", "0.5"]
    size = ["--images", "2", "--ceiling-samples", "200", "--quiet", "--set", "tv-transfer.evaluations=2"]
    done = program(installed, tmp_path, "run", *chosen, *size)
    assert done.returncode == 0, done.stderr
    assert "0 failed" in done.stdout
    done = program(installed, tmp_path, "publish", "--output", "board")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "board").iterdir()} >= {
        "LEADERBOARD.md",
        "index.html",
        "leaderboard.json",
    }
    done = program(installed, tmp_path, "list", "suites")
    assert "cifar10-curves" in done.stdout


def test_python_finds_ours_by_the_name_of_its_own(installed: Path, tmp_path: Path):
    (tmp_path / "attacks.py").write_text("MINE = True\n", encoding="utf-8")
    script = (
        "from abstention_bench import run\n"
        "import attacks\n"
        "print(attacks.__file__)\n"
        "print(run(targets='digits-sigma0.50', attacks='clean', epsilons=0.5, images=1, samples=100).rows[0]['rank'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(installed / "attacks" / "__init__.py"), "1"]
    script = "import attacks\nassert attacks.MINE\nfrom abstention_bench import run"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1
    assert "'attacks' is imported already, from" in done.stderr.splitlines()[-1]
