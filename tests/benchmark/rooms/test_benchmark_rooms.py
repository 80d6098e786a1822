"""Ours are found by their names whatever the current folder holds, and by names that nobody else has."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from pathlib import Path

import pytest
from benchmark_helpers import ROOT, command, environment, error_line

import attacks
import benchmark
import targets
from benchmark import rooms
from benchmark.plugins.loading import load_file

THEIRS = 'raise SystemExit("not ours")\n'

PLUGIN = """
import abstention_bench.attacks
import attacks
from abstention_bench import targets
from abstention_bench.attacks import Attack, register

from . import leaderboard
from .attacks import helper
from .targets.inner import VALUE

assert abstention_bench.attacks is attacks
assert (helper(), VALUE, leaderboard.NAME) == (1, 2, "theirs")


@register("mine")
class Mine(Attack):
    \"\"\"Does nothing.\"\"\"

    access = attacks.NoAccess

    def __call__(self, model, images, labels, epsilon, generator):
        return images
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder in which every name of ours is another's, and a plugin that uses both."""
    (tmp_path / "attacks.py").write_text("def helper():\n    return 1\n", encoding="utf-8")
    (tmp_path / "leaderboard.py").write_text('NAME = "theirs"\n', encoding="utf-8")
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "__init__.py").touch()
    (tmp_path / "targets" / "inner.py").write_text("VALUE = 2\n", encoding="utf-8")
    (tmp_path / "my.plugin.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_program_runs_where_others_have_its_names(folder: Path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "list", "attacks", "--plugin", "my.plugin.py"],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "mine " in done.stdout


def test_the_command_runs_where_even_benchmark_is_another_s(folder: Path):
    """As the installed command starts: with the package of the alias."""
    (folder / "benchmark.py").write_text(THEIRS, encoding="utf-8")
    start = (
        "import sys, importlib.util as util\n"
        f"spec = util.spec_from_file_location('abstention_bench', {str(Path(rooms.__file__))!r})\n"
        "sys.modules['abstention_bench'] = module = util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "sys.argv = ['/bin/abstention-bench', 'list', 'suites']\n"
        "sys.exit(module.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", start],
        capture_output=True, text=True, check=False, env=environment(PYTHONPATH=str(folder)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "digits-curves" in done.stdout


def test_a_plugin_reaches_its_own_files_and_ours(folder: Path):
    assert load_file(folder / "my.plugin.py") == ["mine"]


def test_a_plugin_that_takes_ours_for_its_own_is_told_how_to_name_it(folder: Path, capsys: pytest.CaptureFixture[str]):
    for line, room in (("from attacks import helper", "attacks"), ("import targets.inner", "targets")):
        (folder / "plugin.py").write_text(line + "\n", encoding="utf-8")
        assert command("list", "attacks", "--plugin", "plugin.py") == 2
        said = error_line(capsys.readouterr().err)
        assert said.endswith(
            f"(line 1); {room} is the benchmark's own, write `from .{room} import …` for the one beside plugin.py"
        )
    (folder / "plugin.py").write_text("from attacks import nobody\n", encoding="utf-8")
    (folder / "attacks.py").unlink()
    assert command("list", "attacks", "--plugin", "plugin.py") == 2
    assert "the benchmark's own" not in capsys.readouterr().err


def test_the_other_names_are_of_the_same_modules():
    alias = importlib.import_module("abstention_bench")
    assert alias.attacks is attacks
    assert alias.benchmark is benchmark
    inner = importlib.import_module("abstention_bench.targets.noise")
    assert inner is targets.noise
    assert inner.__name__ == inner.__spec__.name == "targets.noise"
    assert importlib.import_module("abstention_bench.attacks").Attack is attacks.Attack
    with pytest.raises(ImportError):
        importlib.import_module("abstention_bench.numpy")
    with pytest.raises(AttributeError):
        _ = alias.numpy


def test_a_room_s_name_that_is_taken_already_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    theirs = types.ModuleType("attacks")
    theirs.__file__ = str(tmp_path / "attacks.py")
    (tmp_path / "attacks.py").touch()
    monkeypatch.setitem(sys.modules, "attacks", theirs)
    with pytest.raises(ImportError, match=r"'attacks' is imported already, from .*attacks\.py; .* rename yours$"):
        rooms.check()


def test_what_is_installed_is_what_is_tested():
    """The command and the package of the alias, as pyproject.toml has them."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"abstention-bench": f"{rooms.ALIAS}:main"}
    assert ROOT / project["tool"]["setuptools"]["package-dir"][rooms.ALIAS] == Path(rooms.__file__).parent
    assert {rooms.ALIAS, "benchmark.rooms", *rooms.ROOMS} <= set(project["tool"]["setuptools"]["packages"])
