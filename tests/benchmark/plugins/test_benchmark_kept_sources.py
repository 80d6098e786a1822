"""What a plugin imports is what was there when it was loaded, and one module of a name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from benchmark_helpers import command, error_line
from plugins_push import plugin, write

from attacks import ATTACKS
from benchmark.plugins.loading import load_file
from targets import InputError


def test_two_modules_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, strength in (("a", 0.25), ("b", 0.75)):
        text = plugin("from helper import STRENGTH").replace("push", f"push-{name}")
        write(tmp_path / name, {"mine.py": text, "helper.py": f"STRENGTH = {strength}"})
    one, two = tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"
    assert command("list", "attacks", "--plugin", one, two) == 2
    line = error_line(capsys.readouterr().err)
    assert line.startswith("error: plugin mine.py: its module 'helper' is ")
    assert str(two.with_name("helper.py")) in line
    assert str(one.with_name("helper.py")) in line
    assert line.endswith("rename one of them")


def test_two_plugins_may_share_a_module_which_runs_once(tmp_path: Path):
    write(
        tmp_path,
        {
            "shared.py": "from targets.data import DATA\nDATA.add('of-both', DATA['digits'])\nSTRENGTH = 0.25",
            "one.py": plugin("from shared import STRENGTH"),
            "two.py": plugin("from shared import STRENGTH").replace('"push"', '"push-more"'),
        },
    )
    load_file(tmp_path / "one.py")
    load_file(tmp_path / "two.py")
    assert {"push", "push-more"} <= set(ATTACKS)


def test_a_module_edited_between_two_plugins_of_a_process_is_seen(tmp_path: Path):
    write(tmp_path, {"helper.py": "STRENGTH = 0.25", "one.py": plugin("from helper import STRENGTH")})
    load_file(tmp_path / "one.py")
    text = plugin("from helper import STRENGTH").replace('"push"', '"push-more"')
    write(tmp_path, {"helper.py": "STRENGTH = 0.75", "two.py": text})
    load_file(tmp_path / "two.py")
    strengths = [sys.modules[ATTACKS[name].__module__].STRENGTH for name in ("push", "push-more")]
    assert strengths == [0.25, 0.75]


def test_what_is_imported_when_a_cell_runs_is_what_was_there_at_the_beginning(tmp_path: Path):
    write(tmp_path, {"helper.py": "STRENGTH = 0.25", "mine.py": plugin(inner="from helper import STRENGTH")})
    load_file(tmp_path / "mine.py")
    write(tmp_path, {"helper.py": "STRENGTH = 0.75"})
    images = torch.zeros(1, 1, 8, 8)
    moved = ATTACKS["push"]()(None, images, None, 1.0, None)  # type: ignore[arg-type]
    assert float(moved.norm()) == pytest.approx(0.25)


def test_a_module_that_failed_with_its_plugin_runs_again_with_the_mended_one(tmp_path: Path):
    helper = "from targets.data import DATA\nDATA.add('of-helper', DATA['digits'])\nSTRENGTH = 0.25"
    write(tmp_path, {"helper.py": helper, "mine.py": plugin("from helper import STRENGTH\n1 / 0")})
    with pytest.raises(InputError, match="ZeroDivisionError"):
        load_file(tmp_path / "mine.py")
    write(tmp_path, {"mine.py": plugin("from helper import STRENGTH")})
    assert "of-helper" in load_file(tmp_path / "mine.py")
