"""What a plugin's author is told: of attributes without annotation, wrong imports, global generators, and failures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import ClassVar

import pytest
from benchmark_helpers import by_attack, command, error_line, suite_file

from attacks import ATTACKS, Attack, NoAccess
from benchmark.plugins.attributes import unannotated
from benchmark.terminal.failures import where

HEAD = "import torch\nimport attacks\nfrom attacks import Attack, NoAccess\n\n\n"
CALL = "    def __call__(self, model, images, labels, epsilon, generator):\n"


def attack(name: str, body: str, fields: str = "") -> str:
    """A plugin's text."""
    return (
        f'{HEAD}@attacks.register("{name}")\nclass Mine(Attack):\n    """Of a test."""\n    access = NoAccess\n'
        f"{fields}{CALL}{body}"
    )


def plugin(folder: Path, text: str) -> Path:
    (folder / "mine.py").write_text(text, encoding="utf-8")
    return folder / "mine.py"


def test_an_attribute_without_an_annotation_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = plugin(tmp_path, attack("loose", "        return images\n", "    steps = 10\n    size: int = 2\n"))
    assert command("list", "attacks", "--plugin", path) == 0
    err = capsys.readouterr().err
    assert err == (
        "warning: attack 'loose': Mine.steps = 10 has no annotation, so it is no hyper-parameter and in no key; write "
        "`steps: int = 10`, or `steps: ClassVar[int] = 10` for a constant\n"
    )


def test_which_attributes_are_no_hyper_parameters():
    class Base(Attack):
        access = NoAccess
        version = 3
        steps: int = 5
        kind: ClassVar[str] = "base"
        samples = 4

        def __call__(self, model, images, labels, epsilon, generator):
            return images

    class Derived(Base):
        steps = 10
        kind = "derived"
        _own = 3

    assert [line.partition(" has")[0] for line in unannotated(Base)] == ["Base.samples = 4"]
    lost, inherited = unannotated(Derived)
    assert lost.startswith("Derived.steps = 10 has no annotation, so it does not change the hyper-parameter; write")
    assert Derived().steps == 5  # which is why
    assert inherited.startswith("Base.samples")


def test_ours_have_none():
    assert [line for name in ATTACKS for line in unannotated(ATTACKS[name])] == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("from attacks import Whitebox", "did you mean 'WhiteBox'?"),
        ("from attacks import regster", "did you mean 'register'?"),
        ("from attacks import Streams", "Streams is in targets.noise"),
        ("from targets import register_dataset", "did you mean 'register_data'?"),
        ("from abstention_bench.attacks import decision_access, Descision", "(line 1)"),
        ("import attacks.librarys.foolbox", "did you mean 'attacks.libraries'?"),
        ("from attacks.libraries.foolboxx import x", "did you mean 'attacks.libraries.foolbox'?"),
        ("import attacks.whitebox", "did you mean 'attacks.white_box'?"),
        ("import attacks\nattacks.Whitebox", "did you mean 'WhiteBox'?"),
        ("from attacks.no_such import x", "No module named 'attacks.no_such'"),
        ("import numpy\nnumpy.arrray", "has no attribute 'arrray'"),
    ],
)
def test_a_wrong_import_gets_a_suggestion(line: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("list", "attacks", "--plugin", plugin(tmp_path, line + "\n")) == 2
    said = error_line(capsys.readouterr().err)
    assert words in said
    assert "did you mean" not in said or "did you mean" in words


def test_global_generators_are_noticed_once_in_a_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    body = "        return (images + 0.01 * torch.randn(images.shape)).clamp(0, 1)\n"
    path = plugin(tmp_path, attack("drawing", body))
    suite = suite_file(tmp_path / "s.toml", attacks=["drawing", "gaussian"], epsilons=[0.5, 1.0])
    results = tmp_path / "r"
    assert command("run", "--suite", suite, "--results", results, "--plugin", path, "--workers", 1) == 0
    notice = "notice: attack class Mine draws from torch's global random generator, or seeds it"
    assert capfd.readouterr().err.count(notice) == 1  # which the worker says


def test_a_failure_is_told_with_its_lines_and_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    body = "        return self.step(images)\n\n    def step(self, images):\n        raise RuntimeError('boom')\n"
    path = plugin(tmp_path, attack("boom", body))
    suite = suite_file(tmp_path / "s.toml", attacks=["boom", "clean"], epsilons=[0.5, 1.0])
    results = tmp_path / "r"
    assert command("run", "--suite", suite, "--results", results, "--plugin", path, "--workers", 1, "--quiet") == 1
    err = capsys.readouterr().err
    words = "boom × ε {} failed: RuntimeError: boom (mine.py, line 11, in __call__; mine.py, line 14, in step)"
    assert words.format("0.5") in err or words.format("1") in err
    assert err.count("RuntimeError") == 1  # the same at both ε
    (key,) = re.findall(r"show (\w+) --results", err)

    assert command("show", key, "--results", results) == 0
    out = capsys.readouterr().out
    assert "status error" in out
    assert "  attack: boom\n" in out
    assert "Traceback (most recent call last)" in out
    assert "    raise RuntimeError('boom')" in out
    assert "\nRuntimeError: boom\n" in out
    stored = by_attack(results)["boom"]
    assert stored.error is not None
    assert stored.error in out

    assert command("show", "--results", results) == 0
    out = capsys.readouterr().out
    assert out.count("RuntimeError: boom (mine.py, line 11") == 2
    assert "2 of 4 cells failed." in out


def test_show_of_a_cell_that_ran_and_of_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    suite, results = suite_file(tmp_path / "s.toml"), tmp_path / "r"
    assert command("run", "--suite", suite, "--results", results, "--workers", 0, "--quiet") == 0
    capsys.readouterr()
    cell = by_attack(results)["gaussian"]
    assert command("show", cell.key, "--results", results) == 0
    out = capsys.readouterr().out
    assert f"cell {cell.key}\nstatus ok" in out
    assert f"  images: {json.dumps(cell.settings['images'])}\n" in out
    assert "Traceback" not in out
    assert command("show", "zzz", "--results", results) == 2
    assert "no cell's key begins with 'zzz'" in error_line(capsys.readouterr().err)
    assert command("show", "", "--results", results) == 2
    assert "2 cells' keys begin with ''" in error_line(capsys.readouterr().err)
    assert command("show", "--results", tmp_path / "absent") == 2
    assert "no results in" in error_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("traceback", "words"),
    [
        ('Traceback …:\n  File "/a/b.py", line 3, in f\n    x\nE: no\n', "E: no (b.py, line 3, in f)"),
        ("ValueError: no frames", "ValueError: no frames"),
        ("", "unknown error"),
    ],
)
def test_where_a_traceback_ends(traceback: str, words: str):
    assert where(traceback) == words


def test_which_part_of_the_budget_rule_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    body = (
        "        step = torch.tensor([0.0, 0.9, 2.0, torch.nan])[:, None, None, None]\n"
        "        return images + step * epsilon / 8 if len(images) == 4 else images\n"
    )
    path = plugin(tmp_path, attack("careless", body))
    suite = suite_file(tmp_path / "s.toml", attacks=["careless"], epsilons=[0.05])
    assert command("run", "--suite", suite, "--results", tmp_path / "r", "--plugin", path, "--workers", 0) == 0
    err = capsys.readouterr().err
    words = r"\(\d of 4 images break the budget rule: 1 are not finite, \d leave \[0, 1\].*; originals sent\)"
    assert re.search(words, err), err
