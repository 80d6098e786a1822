"""README, CONTRIBUTING and docs are true: their commands run, their links lead somewhere, their tables are complete.

Each command of README, then of each page of docs/, is run in order, in one folder, on the files that these pages show,
in this process. Those that sample or train get few images, noise samples, steps and epochs. What takes hours, or needs
a network, is in ``readme_not_run.py`` with the reason, and is parsed. The two install commands are run as they are by
``.ci/run``.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import runpy
import shlex
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmark_helpers import as_before
from readme_not_run import OTHERS, PARSED

from attacks import ATTACKS
from benchmark.cli import main, parser
from benchmark.suite import Suite
from benchmark.suite_file import DEFAULT
from leaderboard.row import Row
from leaderboard.stored.records import COLUMNS
from targets import TARGETS
from targets.data.cifar10 import VARIABLE
from targets.models import ARCHITECTURES
from targets.resnet import ResNet
from targets.training import train

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [README, *DOCS, ROOT / "CONTRIBUTING.md"]
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "attacks" / "README.md"]
MOST_LINES = 200
"""Of README."""

SMALL = "--images 2 --samples 100 --quiet"
SAMPLING = (" benchmark run ", " benchmark certify ", " benchmark predict ")
PROGRAM = ["python", "-m", "benchmark"]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\S+\.(?:py|toml))\n")


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: language and content."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def commands() -> list[str]:
    """The lines of all bash blocks, in order."""
    return [line for page in PAGES for kind, block in blocks(page) if kind == "bash" for line in block.splitlines()]


COMMANDS = commands()
INSTALL = [line for line in COMMANDS if line.startswith("python -m pip install -e") and "&&" in line]
NOT_HERE = {*OTHERS, *(line for line in INSTALL if line.endswith("pytest"))}
RUN = [line for line in dict.fromkeys(COMMANDS) if line not in PARSED and line not in NOT_HERE]
ON_CIFAR10 = [command for command in RUN if "mine.toml" in command]


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def made(folder: Path) -> Path:
    """The folder with the files that the pages show, each named by its first line, and this repository's boards."""
    for page in PAGES:
        for language, block in blocks(page):
            if language in ("python", "toml"):
                name = NAMED.match(block)
                assert name, f"a block of {page.name} without a file name:\n{block}"
                assert not (folder / name[1]).exists(), f"two blocks are called {name[1]}"
                (folder / name[1]).write_text(block, encoding="utf-8")
    (folder / "noise_0.50").mkdir()
    network = torch.nn.Sequential(torch.nn.Identity(), ResNet(20))
    content = {"epoch": 90, "arch": "cifar_resnet20", "state_dict": network.state_dict()}
    torch.save(content, folder / "noise_0.50" / "checkpoint.pth.tar")
    (folder / "leaderboard").symlink_to(ROOT / "leaderboard")
    return folder


def small(command: str) -> str:
    """The command, made quick where it samples much."""
    if " run --all" in command:
        command = command.rpartition("&& ")[2] + " --epsilons 1.0 --targets digits-sigma0.50"
    if " benchmark run " in command:
        # A plugin's run would start a worker process, which takes longer than the run.
        command += " --ceiling-samples 200" + ("" if " --workers " in command else " --workers 0")
    if " --targets my-resnet20 " in command:
        command += " --set margin.steps=2"
    if " benchmark audit " in command:
        command += " --images 2 --quiet" + ("" if " --samples " in command else " --samples 100")
    if " publish --site " in command:
        command = " ".join(command.split()[:8])  # two boards
    command = re.sub(r" --recheck \d+", " --recheck 1", command)  # each record samples as much as a ceiling
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
    assert all((ROOT / word).exists() for word in shlex.split(command) if word.startswith("leaderboard/"))
    assert "failed" not in done.out.replace("0 failed", "")
    assert done.out


@pytest.mark.parametrize("command", PARSED)
def test_a_command_that_is_not_run_is_one_that_the_program_knows(command):
    assert command in COMMANDS
    words = shlex.split(command)
    assert words[:3] == PROGRAM
    chosen = parser().parse_args(words[3:])
    if chosen.verb == "run":
        assert (ROOT / "benchmark" / "suites" / f"{chosen.suite or DEFAULT}.toml").is_file()
        assert TARGETS.match(chosen.targets or ["*"])  # which raises for a name that is none
        assert ATTACKS.match(chosen.attacks or ["*"])
    elif "target" in chosen:
        assert chosen.target in TARGETS


@pytest.mark.parametrize("command", OTHERS)
def test_a_command_of_another_program_names_files_that_exist(command):
    assert command in COMMANDS
    for word in shlex.split(command):
        if re.fullmatch(r"(tests|\.ci)/\S+", word):
            assert (ROOT / word).exists(), word


def test_the_install_commands_are_run_by_ci():
    assert [line.partition("&& ")[2] for line in INSTALL] == ["python -m benchmark run --all", "python -m pytest"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for line in INSTALL:
        assert f"readme_command '{line.partition('&& ')[2]}'" in script


def test_every_block_is_one_that_is_tested():
    for page in PAGES:
        for language, block in blocks(page):
            assert language in ("bash", "python", "toml", ""), (page.name, language)
            assert language or not block.lstrip().startswith(("python ", "$ ")), page.name


def test_the_plugins_of_the_pages_reached_the_board(ran):
    folder, _ = ran
    page = (folder / "results" / "LEADERBOARD.md").read_text(encoding="utf-8")
    for name in ("midpoint", "one-step", "pgd-foolbox", "pgd-transfer-art", "digits-mlp", "shades-sigma0.50"):
        assert name in page


def test_the_records_give_the_rates(ran):
    assert "cross-and-land" in ran[1]["python rates.py"].out


def test_an_adopted_board_gets_the_new_attack_s_row(ran):
    folder, _ = ran
    rows = json.loads((folder / "adopted" / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    assert {"midpoint", "cross-and-land"} <= {row["attack"] for row in rows}


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def anchors(page: Path) -> set[str]:
    """What a link into a page may name: its headings, as GitHub writes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    for link in re.findall(r"\]\(([^) ]+)\)", FENCE.sub("", page.read_text(encoding="utf-8"))):
        if not link.startswith("http"):
            name, _, anchor = link.partition("#")
            file = page.parent / name if name else page
            assert file.is_file(), link
            assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path):
    rooms = "attacks|benchmark|leaderboard|targets|tests"
    for path in re.findall(rf"`((?:{rooms})/[a-z0-9_./-]*)`", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


def test_each_page_of_the_docs_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    linked = set(re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8")))
    assert {str(page.relative_to(index.parent)) for page in DOCS} - {"README.md"} <= linked


def test_the_tables_name_every_attack():
    for page in (README, ROOT / "docs" / "attacks.md"):
        missing = [name for name in ATTACKS if f"`{name}`" not in page.read_text(encoding="utf-8")]
        assert not missing, page


def test_the_page_of_targets_names_every_architecture():
    page = (ROOT / "docs" / "add-a-target.md").read_text(encoding="utf-8")
    assert not [name for name in ARCHITECTURES if f'`"{name}"`' not in page]


def test_the_reference_names_every_key():
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    keys = [field.name for field in dataclasses.fields(Suite)] + list(Row.__annotations__) + list(COLUMNS)
    assert [key for key in keys if f"`{key}`" not in text and f"`{key}." not in text] == []


def board_rows() -> list[dict[str, Any]]:
    text = (ROOT / "leaderboard" / "published" / "cifar10" / "leaderboard.json").read_text(encoding="utf-8")
    return [row for row in json.loads(text)["rows"] if row["n"] == 1000]


def test_the_readme_s_result_is_the_board_s():
    line = r"^\| `([a-z-]+)`[^|]*\| ([a-z-]+) \| ([0-9.]+) \| ([0-9.]+)% \[([0-9.]+), ([0-9.]+)\] \| (\d+)% \|$"
    said = re.findall(line, README.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(said) == 6
    rows = {
        row["attack"]: row
        for row in board_rows()
        if row["target"] == "cifar10-sigma0.50-bf16" and row["epsilon"] == 1.0 and row["query_budget"] in (None, 30)
    }
    for attack, access, queries, *rates, share in said:
        row = rows[attack]
        assert access == row["access"]
        assert float(queries) == pytest.approx(row["queries_mean"], abs=0.05)
        measured = [row[f"abstention_{name}"] for name in ("rate", "low", "high")]
        assert [float(rate) for rate in rates] == pytest.approx([100 * rate for rate in measured], abs=0.0501)
        assert float(share) == pytest.approx(100 * row["share_of_ceiling"], abs=0.501)
        assert row["images"] == 200
        assert row["ceiling"] == pytest.approx(0.779, abs=0.0005)


def test_the_mean_shares_of_the_docs_are_the_board_s():
    text = (ROOT / "docs" / "reading-a-board.md").read_text(encoding="utf-8")
    table = re.search(r"\| mean share \|\n.*?\n((?:\|.*\n)+)", text)
    assert table
    shares: dict[str, list[float]] = {}
    for row in board_rows():
        if row["query_budget"] in (None, 30) and not row["vacuous"]:
            shares.setdefault(row["attack"], []).append(row["share_of_ceiling"])
    for line in table[1].splitlines():
        said = list(map(float, re.findall(r"(\d+)%", line)))
        for attack, share in zip(re.findall(r"`([a-z-]+)`", line), said, strict=True):
            assert len(shares[attack]) == 10  # of 12, since two ceilings are vacuous
            assert 100 * sum(shares[attack]) / 10 == pytest.approx(share, abs=0.501)


def test_what_the_note_says_of_three_surrogates_is_the_board_s():
    board = json.loads((ROOT / "leaderboard/published/cifar10-hybrid/leaderboard.json").read_text(encoding="utf-8"))
    rows = [row for row in board["rows"] if row["attack"] == "same-data-hybrid"]
    note = (ROOT / "docs" / "notes" / "labels.md").read_text(encoding="utf-8")
    for row in rows:
        sigma = re.search(r"sigma([\d.]+)-", row["target"])
        said = f"{row['abstention_rate']:.1%}, {row['queries_mean']:.1f}"
        assert sigma
        assert re.search(rf"\| {sigma[1]} \| {row['epsilon']} \| [^|]* \| {re.escape(said)} \|", note)
    mean = sum(row["share_of_ceiling"] for row in rows) / len(rows)
    assert len(rows) == 10
    assert f"goes from 0.64 to {mean:.2f};" in " ".join(note.split())
