"""Every command in the README is run, in order, in one empty folder, on its own files. The `run` commands get few
images and noise samples; the two install commands are run word for word by `.ci/run`."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from targets.resnet import ResNet

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = "--images 2 --samples 100 --quiet"
SAMPLING = (" benchmark run ", " benchmark certify ", " benchmark predict ")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("bash") for line in block.splitlines()]
INSTALL = [line for line in COMMANDS if line.startswith("python -m pip install")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An empty folder with the README's files, each named by its first line."""
    folder = tmp_path_factory.mktemp("readme")
    for block in blocks("python") + blocks("toml"):
        name = re.match(r"# (\S+)\n", block)
        assert name, f"a block without a file name:\n{block}"
        (folder / name[1]).write_text(block, encoding="utf-8")
    (folder / "noise_0.50").mkdir()
    network = torch.nn.Sequential(torch.nn.Identity(), ResNet(20))
    content = {"epoch": 90, "arch": "cifar_resnet20", "state_dict": network.state_dict()}
    torch.save(content, folder / "noise_0.50" / "checkpoint.pth.tar")
    return folder


def small(command: str) -> str:
    """The command, made quick where it samples much."""
    if " run --all" in command:
        command = command.partition("&& ")[2] + " --epsilons 1.0 --targets digits-sigma0.50"
    return f"{command} {SMALL}" if any(verb in command for verb in SAMPLING) else command


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.endswith("pytest")])
def test_command(command, folder, request):
    if "mine.toml" in command:
        request.getfixturevalue("cifar10")
    words = shlex.split(small(command))
    assert words[0] == "python"
    done = subprocess.run([sys.executable, *words[1:]], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout.replace("0 failed", "")
    assert done.stdout


def test_the_install_commands_are_run_by_ci():
    assert [line.partition("&& ")[2] for line in INSTALL] == ["python -m benchmark run --all", "python -m pytest"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for line in INSTALL:
        assert f"readme_command '{line.partition('&& ')[2]}'" in script


def test_the_plugins_of_the_readme_reached_the_board(folder):
    page = (folder / "published" / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "margin" in page  # published before the plugins ran
    page = (folder / "results" / "LEADERBOARD.md").read_text(encoding="utf-8")
    for name in ("midpoint", "pgd-foolbox", "pgd-transfer-art", "digits-linear"):
        assert name in page


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", README):
        if not link.startswith("http"):
            assert (ROOT / link).is_file(), link


def test_the_records_give_the_rates(folder):
    done = subprocess.run([sys.executable, "rates.py"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "cross-and-land" in done.stdout
