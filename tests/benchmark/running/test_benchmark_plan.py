"""``run --dry-run`` on a data set of a plugin: it loads no image, and says what it cannot know without them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmark_helpers import error_line, run, suite_file

PLUGIN = """
from pathlib import Path

import torch
from targets import DATA, DataSet, Split, register


def split(name):
    if Path(__file__).with_name("gone").exists():
        raise FileNotFoundError(name)
    shade = float(Path(__file__).with_name("shade").read_text())
    return Split(torch.full((20, 1, 4, 4), shade), torch.arange(20) % 2)


DATA.add(DataSet("shades", num_classes=2, shape=(1, 4, 4), split=split, SIZE))


@register("shades-linear", sigma=0.5, data="shades")
def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
"""

MORE = ("clean", "nes", "square", "level-set")
"""The attacks of the suite, and one that needs images of the adversary's."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For a plugin that reads its images from a file and a run of three attacks, one row of which is a best-of."""
    (tmp_path / "shade").write_text("0.25")
    settings = {name: {"samples": 10} for name in ("nes", "square")}
    values = {"images": 6, "shard": 3, "query_budgets": [30], "best_of": True, "attacks": ["clean", "nes", "square"]}
    suite_file(tmp_path / "s.toml", settings, targets=["shades-linear"], **values)
    return tmp_path


def planned(folder: Path, size: str, capsys: pytest.CaptureFixture[str], *more: object) -> str:
    """What a dry run prints, with that in the data set's definition, while no image can be loaded."""
    plugin = define(folder, size)
    (folder / "gone").touch()
    assert run(folder / "s.toml", folder / "r", "--plugin", plugin, "--dry-run", *more) == 0
    (folder / "gone").unlink()
    out, err = capsys.readouterr()
    assert err == ""
    return out


def define(folder: Path, size: str) -> Path:
    path = folder / "shades.py"
    path.write_text(PLUGIN.replace("SIZE", size), encoding="utf-8")
    return path


def ran(folder: Path, size: str, capsys: pytest.CaptureFixture[str], *more: object) -> str:
    """What a run of it prints."""
    assert run(folder / "s.toml", folder / "r", "--plugin", define(folder, size), *more) == 0
    return capsys.readouterr().out


def test_a_data_set_that_gives_its_size_is_not_loaded_and_stored_cells_are_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    out = planned(folder, "size=20", capsys)
    assert "8 cells: 0 stored already, 8 to run." in out
    assert "Note" not in out
    assert not (folder / "r").exists()

    ran(folder, "size=20", capsys)
    out = planned(folder, "size=20", capsys)
    assert "8 cells: 8 stored already, 0 to run." in out
    assert "Note: cells on 'shades' count as stored if they are of the same images and labels as the newest" in out
    assert "10 cells: 8 stored already, 2 to run." in planned(folder, "size=20", capsys, "--attacks", *MORE)

    (folder / "shade").write_text("0.5")
    ran(folder, "size=20", capsys, "--attacks", "clean")
    assert "8 cells: 2 stored already, 6 to run." in planned(folder, "size=20", capsys)
    assert "6 cells run, 2 stored already" in ran(folder, "size=20", capsys)


def test_more_images_than_a_data_set_has_are_refused_where_it_gives_its_size(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    asked = (folder / "s.toml", folder / "r", "--plugin", define(folder, "size=20"), "--dry-run", "--images", 21)
    assert run(*asked) == 2
    assert error_line(capsys.readouterr().err) == "error: 21 images asked for; give a number from 1 to 20"


def test_of_a_data_set_without_a_size_a_dry_run_says_what_is_unknown(folder: Path, capsys: pytest.CaptureFixture[str]):
    out = planned(folder, "held_back=5", capsys, "--attacks", *MORE)
    assert "10 cells: 0 stored already, 10 to run." in out
    assert out.endswith("Note: data set 'shades' gives no size=, so it is unknown whether it has 6 images.\n")

    ran(folder, "held_back=5", capsys)
    out = planned(folder, "held_back=5", capsys)
    assert "8 cells: 0 stored already, at most 8 to run.\nThey take about" in out
    assert re.search(r"^shades-linear +clean +2 +[?] +2 ", out, re.MULTILINE)
    assert out.endswith("it is unknown whether it has 6 images, and which cells are stored.\n")


def test_a_size_that_the_images_belie_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]):
    asked = (folder / "s.toml", folder / "r", "--plugin")
    assert run(*asked, define(folder, "size=30")) == 2
    line = "split 'evaluation' of data set 'shades' has 20 images, and the data set says size=30"
    assert error_line(capsys.readouterr().err) == f"error: {line}"
    assert run(*asked, define(folder, "size=0")) == 2
    assert "size of data set 'shades' is 0; give 1 or more" in capsys.readouterr().err
