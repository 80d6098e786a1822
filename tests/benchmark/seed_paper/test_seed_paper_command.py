"""``reproduce``: what the command writes and says, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_helpers import ROOT, command, environment, error_line
from benchmark_tiny import install

from benchmark.seed_paper import Result
from benchmark.seed_paper.settings import PER_IMAGE


def test_the_command_writes_the_report_and_says_where(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    install()
    given = {}

    def experiment(settings, store, device, *, quiet):
        given.update(settings=settings, folder=store.folder, device=device, quiet=quiet)
        return result

    monkeypatch.setattr("benchmark.seed_paper.reproduce", experiment)
    assert command(
        "reproduce", "--target", "tiny-linear", "--images", 3, "--samples", 100, "--query-samples", 60, "--epochs", 2,
        "--seed", 7, "--device", "cpu", "--results", tmp_path / "r", "--output", tmp_path / "o", "--quiet",
    ) == 0  # fmt: skip
    out, err = capsys.readouterr()
    assert err == ""
    assert str(tmp_path / "o" / "REPORT.md") in out.splitlines()
    assert all(Path(line).is_file() for line in out.splitlines())
    settings = given.pop("settings")
    assert given == {"folder": tmp_path / "r", "device": "cpu", "quiet": True}
    assert (settings.target, settings.images, settings.samples) == ("tiny-linear", 3, (100,))
    assert (settings.query_samples, settings.epochs, settings.seed) == (60, 2, 7)


def test_an_interrupted_command_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def stopped(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmark.seed_paper.reproduce", stopped)
    assert command("reproduce", "--results", tmp_path / "r", "--output", tmp_path / "o") == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"stopped; what is finished is kept in {tmp_path / 'r'}. Run the same command again to go on.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--images", "0"], "images is 0"),
        (["--samples", "5"], "always abstain"),
        (["--target", "cifar10-sigma0.55"], "did you mean 'cifar10-sigma0.50'"),
        (["--imges", "3"], "did you mean --images"),
        (["--output", "{file}/report"], "cannot write into"),
        (["--results", "{file}"], "is not a folder"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("")
    chosen = [argument.format(file=tmp_path / "file") for argument in arguments]
    folders = ["--results", tmp_path / "r"] if "--results" not in chosen else []
    folders += ["--output", tmp_path / "o"] if "--output" not in chosen else []
    try:
        code = command("reproduce", *folders, *chosen)
    except SystemExit as error:  # argparse's
        code = error.code  # type: ignore[assignment]
    assert code == 2
    assert words in error_line(capsys.readouterr().err)


def test_without_matplotlib_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("benchmark.commands.reproduce.find_spec", lambda name: None)
    assert command("reproduce", "--results", tmp_path / "r", "--output", tmp_path / "o") == 2
    assert error_line(capsys.readouterr().err).endswith("python -m pip install matplotlib")
    assert list(tmp_path.iterdir()) == []


def test_help_states_the_rule_and_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "benchmark", "reproduce", "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment(),
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "matplotlib", "pandas", "tqdm"}
    text = " ".join(done.stdout.split())
    assert all(f"{count} N " in text for count in PER_IMAGE.values())
    for option in ("--images", "--data", "--output", "--results", "--device", "--seed", "--quiet", "--query-samples"):
        assert option in text
