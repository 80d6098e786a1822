"""``new``: what it writes is typed, linted, tested and runs; what it cannot write is one clear line."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_helpers import ROOT, board, command, environment, error_line

from benchmark.kit.writing import ACCESS

NAMES = {f"my-{access}.idea": ("attack", access) for access in ACCESS}
NAMES["shapes-sigma0.50"] = ("target", "")
TESTED = list(NAMES)
"""Those whose tests are run, which takes seconds each: one of each kind."""

NAMES["x"] = ("attack", "white-box")
NAMES["a-name-of-thirty-characters-xx"] = ("attack", "hybrid")
NAMES["a-target-of-thirty-characters0"] = ("target", "")
"""What is written, by its name."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of it."""
    folder = tmp_path_factory.mktemp("written")
    for name, (kind, access) in NAMES.items():
        assert command("new", kind, name, "--output", folder, *(["--access", access] if access else [])) == 0
    return folder


def file_of(name: str) -> str:
    return f"{name.replace('-', '_').replace('.', '_')}.py"


def test_a_file_and_its_test_each(written: Path):
    expected = {prefix + file_of(name) for name in NAMES for prefix in ("", "test_")}
    assert {path.name for path in written.glob("*.py")} == expected
    text = (written / file_of("my-score.idea")).read_text(encoding="utf-8")
    assert '@register("my-score.idea")\nclass MyScoreIdea(Attack):' in text
    assert "scaled by σ already" in (written / file_of("my-white-box.idea")).read_text(encoding="utf-8")
    for name in NAMES:
        if NAMES[name][0] == "attack":
            assert "`labels` are the true labels" in (written / file_of(name)).read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("ruff") is None, reason="ruff is not installed")
def test_ruff_finds_nothing(written: Path):
    for verb in (["check"], ["format", "--check", "--diff"]):
        done = subprocess.run(
            ["ruff", *verb, "--no-cache", "--config", str(ROOT / "pyproject.toml"), str(written)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_mypy_finds_nothing(written: Path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml"),
         *map(str, sorted(written.glob("*.py")))],
        capture_output=True, text=True, check=False, cwd=ROOT, env=environment(MYPYPATH=str(ROOT)),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def blocks(language: str) -> list[str]:
    """Of docs/kit.md."""
    page = (ROOT / "docs" / "kit.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test class of docs/kit.md, beside the attack that the page's first command writes."""
    folder = tmp_path_factory.mktemp("by_hand")
    (first, *_), (block,) = "".join(blocks("bash")).splitlines(), blocks("python")
    words = shlex.split(first)
    assert words[:4] == ["python", "-m", "benchmark", "new"]
    assert command(*words[3:], "--output", folder) == 0
    (folder / "test_by_hand.py").write_text(block, encoding="utf-8")
    return folder / "test_by_hand.py"


def test_their_tests_pass_and_the_page_s(written: Path, by_hand: Path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist",
         *(str(written / f"test_{file_of(name)}") for name in TESTED), str(by_hand)],
        capture_output=True, text=True, check=False, cwd=written, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_they_run(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    attacks = [name for name, (kind, _) in NAMES.items() if kind == "attack"]
    target = "shapes-sigma0.50"
    quick = ["--images", 2, "--samples", 100, "--ceiling-samples", 100, "--epsilons", 0.5, "--quiet", "--device", "cpu"]
    plugins = [written / file_of(name) for name in NAMES]
    done = command("run", "--plugin", *plugins, "--attacks", *attacks, "--targets", target, *quick, "--no-best-of",
                   "--workers", 0, "--results", tmp_path / "r")  # fmt: skip
    assert done == 0, capsys.readouterr().err
    assert {row["attack"]: row["status"] for row in board(tmp_path / "r")} == dict.fromkeys(attacks, "ok")


def test_it_says_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert command("new", "attack", "mine") == 0
    out = capsys.readouterr().out
    assert out.startswith("Written: mine.py and its test, test_mine.py.")
    assert "python -m benchmark check mine.py\n" in out
    assert "python -m benchmark run --plugin mine.py --attacks mine --targets digits-sigma0.50" in out
    assert command("run", "--plugin", "mine.py", "--attacks", "mine", "--images", 2, "--samples", 100, "--quiet",
                   "--targets", "digits-sigma0.50", "--epsilons", 0.5, "--workers", 0) == 0  # fmt: skip


@pytest.mark.parametrize("there", ["mine.py", "test_mine.py"])
def test_nothing_is_overwritten(there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / there).write_text("mine", encoding="utf-8")
    assert command("new", "attack", "mine", "--output", tmp_path) == 2
    assert f"{there} is there already, and nothing is overwritten" in error_line(capsys.readouterr().err)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("attack", "margin"), "the attack name 'margin' is taken"),
        (("target", "digits-sigma0.50"), "the target name 'digits-sigma0.50' is taken"),
        (("attack", "1st"), "'1st' makes no name of a file and a class"),
        (("attack", "my attack"), "'my attack' makes no name of a file"),
        (("attack", "../mine"), "'../mine' makes no name of a file"),
        (("attack", "über"), "'über' makes no name"),
        (("attack", "class"), "'class' makes no name"),
        (("attack", ""), "'' is no attack name"),
        (("attack", "a" * 31), "has 31 characters; give 30 at most"),
        (("attack", "attacks"), "attacks.py would hide the module 'attacks'"),
        (("attack", "torch"), "torch.py would hide the module 'torch'"),
        (("attack", "json"), "json.py would hide the module 'json'"),
        (("attack", "tensor"), "'tensor' makes a class Tensor, and the file needs another one of that name"),
        (("target", "mine-bf16"), "names that end in -bf16"),
        (("target", "mine", "--access", "score"), "--access is of attacks"),
    ],
)
def test_a_name_that_cannot_be_is_one_clear_line(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert command("new", *arguments, "--output", tmp_path / "new") == 2
    assert words in error_line(capsys.readouterr().err)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").touch()
    assert command("new", "attack", "mine", "--output", tmp_path / "file") == 2
    assert "cannot write into" in error_line(capsys.readouterr().err)
