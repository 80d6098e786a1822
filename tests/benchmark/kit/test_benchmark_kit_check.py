"""``check``: a line a clause, for files and for names, and its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_helpers import command, error_line

from benchmark.kit.attack_clauses import ATTACK_CLAUSES
from benchmark.kit.target_clauses import TARGET_CLAUSES

OVER = """
import torch

from attacks import Attack, WhiteBox, register


@register("over")
class Over(Attack):
    \"\"\"Goes too far, in a direction of nobody's stream.\"\"\"

    access = WhiteBox
    steps = 10

    def __call__(self, model, images, labels, epsilon, generator):
        direction = torch.randn(images.shape)
        return images + 1.1 * epsilon * direction / direction.flatten(1).norm(dim=1)[:, None, None, None]
"""

TARGET = """
import os

import torch

from targets import register, register_data


def images(name):
    generator = torch.Generator().manual_seed(len(name))
    return torch.rand((12, 1, 6, 6), generator=generator), torch.arange(12) % 2


register_data("own", shape=(1, 6, 6), num_classes=2, evaluation=images("one"), train=images("one"))


@register("drawn", sigma=0.5, data="own")
def drawn():
    \"\"\"Other weights in each process.\"\"\"
    torch.manual_seed(int.from_bytes(os.urandom(4), "little"))
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 2))


@register("blind", sigma=0.5, data="own")
def blind():
    \"\"\"No gradient.\"\"\"
    class Blind(torch.nn.Module):
        def forward(self, images):
            bright = (images.mean((1, 2, 3)) > 0.5).float()
            return torch.stack([bright, 1 - bright], 1)
    return Blind()


@register("batch", sigma=0.5, data="own")
def batch():
    return torch.nn.Sequential(torch.nn.BatchNorm2d(1, track_running_stats=False), torch.nn.Flatten(),
                               torch.nn.Linear(36, 2))
"""


def test_every_clause_is_told_and_the_broken_ones_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "over.py").write_text(OVER, encoding="utf-8")
    assert command("check", tmp_path / "over.py") == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("Attack over (white-box), on 10 images of a linear target")
    assert all(any(clause.name in line for line in lines) for clause in ATTACK_CLAUSES)
    for words in (
        "BROKEN  described    Over.steps = 10 has no annotation",
        "BROKEN  budget       10 of 10 images are farther than ε = 0.5 from the original",
        "the worst by 10.00%",
        "BROKEN  generators   draws from torch's global random generator",
        "BROKEN  repeats      two runs of the same images give other results for 10 of 10 images",
        "kept    shape        (10, 3, 8, 8) float32",
        "–       queries      white-box access has no queries",
        "over breaks: described, budget, generators, repeats, order, batch.",
    ):
        assert " ".join(words.split()) in " ".join(out.split()), out


def test_a_name_that_keeps_all(capsys: pytest.CaptureFixture[str]):
    assert command("check", "gaussian") == 0
    out = capsys.readouterr().out
    assert "gaussian keeps its contract." in out
    assert "BROKEN" not in out
    assert command("check", "digits-sigma0.50") == 0
    out = capsys.readouterr().out
    assert all(f"  kept    {clause.name} " in out for clause in TARGET_CLAUSES)
    assert "digits-sigma0.50 keeps its contract." in out


def test_an_attack_that_says_that_it_may_leave_the_budget_keeps_it(capsys: pytest.CaptureFixture[str]):
    assert command("check", "tv") == 0
    found = " ".join(capsys.readouterr().out.split())
    assert "kept budget ε = 0.5; 2 of 10 images are over it, as a minimum-norm attack's may be" in found
    assert "tv keeps its contract." in found


def test_targets_that_break_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine.py").write_text(TARGET, encoding="utf-8")
    assert command("check", tmp_path / "mine.py") == 1
    out = capsys.readouterr().out
    of = {block.split()[1]: " ".join(block.split()) for block in out.strip().split("\n\n")}
    assert "BROKEN repeats loaded twice it is two networks; seed what its function draws" in of["drawn"]
    assert "BROKEN process in another process it is another network" in of["drawn"]
    assert "BROKEN splits 12 evaluation images (image 0) are in the split 'train', too" in of["drawn"]
    assert "drawn breaks: splits, repeats, process." in of["drawn"]
    assert "BROKEN gradient its logits are detached from its input" in of["blind"]
    assert "BROKEN described it has no description" in of["batch"]
    assert "BROKEN loads" in of["batch"]
    assert "– gradient the target does not load" in of["batch"]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("absent.py", "there is no plugin file absent.py"),
        ("margni", "unknown attack or target 'margni'; did you mean 'margin'?"),
    ],
)
def test_what_is_not_there_is_one_clear_line(
    what: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert command("check", what) == 2
    assert words in error_line(capsys.readouterr().err)


def test_a_file_that_describes_no_attack_and_no_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "data.py").write_text(
        "import torch, targets\n"
        "targets.register_data('d', shape=(1, 2, 2), num_classes=2, evaluation=torch.zeros(1, 1, 2, 2))\n",
        encoding="utf-8",
    )
    assert command("check", tmp_path / "data.py") == 2
    assert "registers no attack and no target to check" in error_line(capsys.readouterr().err)
