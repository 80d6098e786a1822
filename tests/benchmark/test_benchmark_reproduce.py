"""The whole experiment and its report, on a tiny target."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_helpers import ROOT, command, environment, error_line
from benchmark_tiny import SETTINGS, install, run

from benchmark import cell
from benchmark.seed_paper import paper, surrogates
from benchmark.seed_paper.experiment import Result
from benchmark.seed_paper.report import UNDISTRIBUTED, markdown, write
from benchmark.seed_paper.settings import PER_IMAGE
from targets import InputError, SmoothedClassifier


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reproduce")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    """The experiment, run once."""
    return run(folder / "results")


@pytest.fixture(scope="module")
def report(folder: Path, result: Result) -> Path:
    """Its report."""
    write(result, folder / "report")
    return folder / "report"


def test_everything_the_issue_lists_is_found(result: Result):
    found = result.findings
    cells = {(cell.labels, cell.queries): cell for cell in found.accuracies}
    assert cells.keys() == paper.ACCURACY.keys()
    assert [cell.paper for cell in cells.values()] == [paper.ACCURACY[key] for key in cells]
    assert cells["true", "train"].held_out.images == 40  # the test images
    assert cells["true", "test"].held_out.images == 80
    assert cells["black-box", "test"].held_out.images == 4  # a tenth of its own
    assert {(row.attack, row.queries) for row in found.on_surrogate} == {
        (attack, queries) for attack in paper.ON_SURROGATE for queries in PER_IMAGE
    }
    assert [(c.n, c.sent) for c in found.columns] == [
        (n, sent) for n in SETTINGS.samples for sent in ("original", "cw-transfer", "tv-transfer")
    ]
    assert found.everything.abstention.images == 40
    assert {c.abstention.images for c in found.columns} == {4}
    assert [(c.n, c.attack) for c in found.confusions] == [(n, a) for n in SETTINGS.samples for a in paper.STAYED]
    kinds = {(row.queries, row.smoothed) for row in found.surrogates}
    assert kinds == {*((name, False) for name in PER_IMAGE), ("test", True), ("train", True)}
    assert {(row.attack, row.access) for row in found.attacks} == {
        *((name, "transfer") for name in ("cw-transfer", "tv-transfer", "margin-transfer")),
        *((name, "white-box") for name in ("margin", "cw")),
    }


def test_the_tables_agree_with_each_other(result: Result):
    found = result.findings
    columns = {(column.n, column.sent): column for column in found.columns}
    assert found.again.abstention.images == 4
    assert (
        0
        <= found.again_stayed
        <= min(found.again.abstention.hits, columns[SETTINGS.samples[0], "original"].abstention.hits)
    )
    for confusion in found.confusions:
        counts = np.array(confusion.counts)
        assert counts.sum() == 4
        assert counts[-1].sum() == columns[confusion.n, "original"].abstention.hits
        assert counts[:, -1].sum() == columns[confusion.n, confusion.attack].abstention.hits
    first = SETTINGS.samples[0]
    for row in found.attacks:
        if row.queries == "test" and (first, row.attack) in columns:
            assert row.abstention == columns[first, row.attack].abstention
            assert row.abstention_p == columns[first, row.attack].abstention_p


def test_the_white_box_attack_makes_a_linear_target_abstain(result: Result):
    """On a linear target it lands on the tie, which is within reach of every image here."""
    margin = next(row for row in result.findings.attacks if row.attack == "margin")
    assert margin.valid.hits == margin.valid.images
    assert margin.abstention.hits > result.findings.columns[0].abstention.hits


def test_a_second_run_only_reads(result: Result, folder: Path, monkeypatch: pytest.MonkeyPatch):
    before = sorted(path.relative_to(folder) for path in (folder / "results").rglob("*"))

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a second run computes something")

    monkeypatch.setattr(SmoothedClassifier, "predict", refuse)
    monkeypatch.setattr(SmoothedClassifier, "votes", refuse)
    monkeypatch.setattr(surrogates, "train", refuse)
    monkeypatch.setattr(cell, "CEILING_VERSION", cell.CEILING_VERSION + 1)  # which is of the boards' ceilings alone
    again = run(folder / "results").findings.json()
    once = result.findings.json()
    assert {key: again[key] for key in again if key != "created"} == {
        key: once[key] for key in once if key != "created"
    }
    assert sorted(path.relative_to(folder) for path in (folder / "results").rglob("*")) == before


def test_a_run_stopped_in_the_middle_goes_on_to_the_same_findings(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real, calls = SmoothedClassifier.predict, []

    def stopping(self: SmoothedClassifier, *arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 9:  # the queries are answered, the surrogates trained, two attacks run
            raise KeyboardInterrupt
        return real(self, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(SmoothedClassifier, "predict", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "results")
    again = run(tmp_path / "results").findings.json()
    once = result.findings.json()
    for key in once.keys() - {"created"}:
        assert again[key] == once[key], key


def test_the_report_holds_every_number_beside_the_papers(report: Path, result: Result):
    text = (report / "REPORT.md").read_text(encoding="utf-8")
    for value in ("82.6%", "72.3%", "64.4%", "| ? |", "100.0%", "80.4%"):
        assert value in text
    for value in ("70.62%", "70.97%", "70.83%", "0.99%", "0.87%", "| 36 |", "| 37 |"):
        assert value in text
    for heading in ("Table 1", "On the surrogate", "Table 2", "Tables 3 and 4", "Figure 1", "Figure 2", "Discussion"):
        assert f"## {heading}" in text
    assert "queries at n = 50" in text
    for column in result.findings.columns:
        low, high = 100 * column.abstention.low, 100 * column.abstention.high
        assert f"{column.abstention.share:.2%} [{low:.2f}, {high:.2f}]" in text
    assert text.count("**Table 3: CW") == text.count("**Table 4: TV") == len(SETTINGS.samples)
    assert "None" not in text
    assert "nan" not in text.lower().split()
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert content == json.loads(json.dumps(result.findings.json()))
    assert markdown(result.findings) == text


def test_figures_are_pictures_and_figure_2_stays_out_of_what_is_published(report: Path):
    names = sorted(path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file())
    assert names == [
        "REPORT.md",
        *(f"figures/{name}.{kind}" for name in ("figure1", "figure3") for kind in ("png", "svg")),
        "report.json",
        *(f"{UNDISTRIBUTED}/{name}" for name in (".gitignore", "figure2.png", "figure2.svg")),
    ]
    for name in names:
        path = report / name
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")
        if path.suffix == ".svg":
            assert xml.etree.ElementTree.parse(path).getroot().tag.endswith("svg")
    assert (report / UNDISTRIBUTED / ".gitignore").read_text() == "*\n"
    text = (report / "REPORT.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+)\)", text)
    assert linked == ["figures/figure1.svg", "figures/figure3.svg"]  # complete without the undistributed folder
    assert "not published with the report" in " ".join(text.split())


def test_adversarial_images_keep_to_the_originals_where_the_budget_is_broken(result: Result):
    for returned in result.returned.values():
        assert returned.shape == result.originals.shape
        assert bool(torch.isfinite(returned).all())
    assert set(result.norms) == set(paper.ON_SURROGATE)


def test_the_command_writes_the_report_and_says_where(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    install()
    given = {}

    def experiment(settings, store, device, *, quiet):
        given.update(settings=settings, folder=store.folder, device=device, quiet=quiet)
        return result

    monkeypatch.setattr("benchmark.commands.reproduce.reproduce", experiment)
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

    monkeypatch.setattr("benchmark.commands.reproduce.reproduce", stopped)
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


def test_too_many_images_is_said_in_one_line(tmp_path: Path):
    with pytest.raises(InputError, match="give a number from 1 to 60"):
        run(tmp_path / "results", images=61)


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
