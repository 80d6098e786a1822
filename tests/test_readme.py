"""Every command in the README, then in each page of docs/, is run, in order, in one empty folder, on its own files, in
this process. Those that sample or train get few images, noise samples and epochs; the two install commands are run as
they are by `.ci/run`."""

from __future__ import annotations

import io
import re
import runpy
import shlex
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from benchmark_helpers import as_before

from benchmark.cli import main
from targets.cifar10 import VARIABLE
from targets.resnet import ResNet
from targets.training import train

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))]
SMALL = "--images 2 --samples 100 --quiet"
SAMPLING = (" benchmark run ", " benchmark certify ", " benchmark predict ")


NAMED = re.compile(r"# (\S+\.(?:py|toml))\n")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [line for text in (README, *PAGES) for block in blocks("bash", text) for line in block.splitlines()]
INSTALL = [line for line in COMMANDS if line.startswith("python -m pip install")]


PROGRAM = ["python", "-m", "benchmark"]


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def made(folder: Path) -> Path:
    """The folder with the files of README and docs in it, each named by its first line. Docs have parts of files."""
    ours = blocks("python") + blocks("toml")
    theirs = [block for page in PAGES for language in ("python", "toml") for block in blocks(language, page)]
    for block in ours + [block for block in theirs if NAMED.match(block)]:
        name = NAMED.match(block)
        assert name, f"a block without a file name:\n{block}"
        assert not (folder / name[1]).exists(), f"two blocks are called {name[1]}"
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


def called(words: list[str]) -> Done:
    """What a shell would have started, here."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err, as_before():
        warnings.simplefilter("default")  # as in a process of its own
        try:
            if words[:3] == PROGRAM:
                code = main(words[3:])
            else:
                (script,) = words[1:]
                runpy.run_path(script, run_name="__main__")
                code = 0
        except (Exception, SystemExit):
            traceback.print_exc()
            code = 1
    return Done(code, out.getvalue(), err.getvalue())


RUN = [command for command in COMMANDS if not command.endswith("pytest")] + ["python rates.py"]
ON_CIFAR10 = [command for command in RUN if "mine.toml" in command]


def trained_briefly(module, split, sigma, recipe, **options):
    return train(module, split, sigma, replace(recipe, epochs=1), **options)


def has_cifar10(request: pytest.FixtureRequest) -> bool:
    try:
        request.getfixturevalue("cifar10_folder")
    except pytest.skip.Exception:
        return False
    return True


@pytest.fixture(scope="module")
def ran(tmp_path_factory, request) -> tuple[Path, dict[str, Done]]:
    """The folder in which all commands were run, one after the other, and how each ended."""
    folder = made(tmp_path_factory.mktemp("readme"))
    done = {}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(folder)
        patch.setattr("attacks.surrogate.train", trained_briefly)
        patch.setattr("benchmark.commands.train.train", trained_briefly)
        if has_cifar10(request):
            patch.setenv(VARIABLE, str(request.getfixturevalue("cifar10_folder")))
        for command in RUN:
            if command not in ON_CIFAR10 or has_cifar10(request):
                words = shlex.split(small(command))
                assert words[0] == "python"
                done[command] = called(words)
    return folder, done


@pytest.mark.parametrize("command", RUN)
def test_command(command, ran, request):
    if command in ON_CIFAR10:
        request.getfixturevalue("cifar10_folder")
    done = ran[1][command]
    assert done.code == 0, done.err
    assert "failed" not in done.out.replace("0 failed", "")
    assert done.out


def test_the_install_commands_are_run_by_ci():
    assert [line.partition("&& ")[2] for line in INSTALL] == ["python -m benchmark run --all", "python -m pytest"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for line in INSTALL:
        assert f"readme_command '{line.partition('&& ')[2]}'" in script


def test_the_plugins_of_the_readme_reached_the_board(ran):
    folder, _ = ran
    page = (folder / "published" / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "margin" in page  # published before the plugins ran
    page = (folder / "results" / "LEADERBOARD.md").read_text(encoding="utf-8")
    for name in ("midpoint", "pgd-foolbox", "pgd-transfer-art", "digits-linear"):
        assert name in page


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))])
def test_links_lead_somewhere(page: str):
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert ((ROOT / page).parent / link).is_file(), link


def test_commands_of_the_docs_are_among_those_that_are_run():
    assert "python -m benchmark predict shades-sigma0.50 --plugin my_data.py --images 20" in RUN


def test_the_records_give_the_rates(ran):
    assert "cross-and-land" in ran[1]["python rates.py"].out
