"""``audit``: a report on one classifier, with an estimate of its time before it starts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from benchmark_helpers import TARGET, command, error_line

from benchmark.commands.audit import COST, SLOWED, estimated
from benchmark.recheck.sequential import MOST
from benchmark.suite_file import load_suite
from leaderboard.access import CONTROL

SMALL = ("--images", 2, "--samples", 100, "--epsilons", 0.5, "--quiet")


def test_it_attacks_with_each_access_and_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("audit", TARGET, *SMALL, "--results", tmp_path / "r") == 0
    out, err = capsys.readouterr()
    assert re.search(rf"^{TARGET}: 6 attacks at ε = 0\.5 on 2 images, n = 100\. About .+ on one core", err)
    assert err.splitlines()[0].endswith(" on one core.")  # surrogates of digits ship, or are trained in seconds
    assert "6 cells run" in out
    assert out.count(f"{TARGET} keeps answering · ε = 0.5 · n = 100") == 1
    assert out.rstrip().endswith(f"Results: {tmp_path / 'r'}. Page: {tmp_path / 'r' / 'index.html'}.")
    board = json.loads((tmp_path / "r" / "leaderboard.json").read_text(encoding="utf-8"))
    accesses = {row["access"] for row in board["rows"]} - {CONTROL}
    assert accesses == {"white-box", "score", "decision", "transfer", "hybrid"}
    [standing] = board["standings"]
    assert (standing["target"], standing["rank"], standing["missing"]) == (TARGET, 1, [])
    page = (tmp_path / "r" / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "## Who keeps answering" in page
    # What the same images cost whoever deploys the sequential predictor.
    costs = board["sequential"]
    assert {cost["attack"] for cost in costs} == {row["attack"] for row in board["rows"]}
    assert {(cost["most"], cost["level"], cost["images"]) for cost in costs} == {(MOST, 0.001, 2)}
    assert "## What an answer costs at the sequential predictor" in page
    assert re.search(r"^digits-sigma0\.50 +0\.5 +cross-and-land ", out, re.MULTILINE)
    # An audit that finds all of it there ends the same way.
    assert command("audit", TARGET, *SMALL, "--results", tmp_path / "r") == 0
    assert json.loads((tmp_path / "r" / "leaderboard.json").read_text(encoding="utf-8"))["sequential"] == costs


def test_progress_says_where_the_sequential_predictor_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    said = f"Now the same images at the sequential predictor, at most {MOST:,} samples each.\n"
    assert command("audit", TARGET, *SMALL[:-1], "--results", tmp_path / "r") == 0
    err = capsys.readouterr().err
    attacked, measured = err.split(said)
    assert "[6/6] " in attacked
    assert "[1/6] " in measured
    assert command("audit", TARGET, *SMALL, "--results", tmp_path / "r") == 0
    assert said not in capsys.readouterr().err


def test_help_says_what_it_does_and_what_a_target_is(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        command("audit", "--help")
    assert ended.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Run the strongest attack of each access on one target" in out
    assert "a name that `list targets` prints, or that a --plugin file registers" in out


def test_several_n_show_how_n_buys_availability(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("audit", TARGET, *SMALL, "--samples", 300, 100, "--results", tmp_path / "r") == 0
    out, err = capsys.readouterr()
    assert "on 2 images, n = 100, 300. About " in err
    assert [n for n in ("100", "300") if f"{TARGET} keeps answering · ε = 0.5 · n = {n}," in out] == ["100", "300"]
    assert (out.count("Page: "), out.count("--tables")) == (1, 0)
    board = json.loads((tmp_path / "r" / "leaderboard.json").read_text(encoding="utf-8"))
    [series] = board["availability_by_n"]
    assert [point["n"] for point in series["points"]] == [100, 300]
    assert series["attacks"] == 6
    for one, point in zip(board["standings"], series["points"], strict=True):
        assert point["right"] == one["under_attack"][-1]["right_every"]


def test_it_audits_a_target_of_a_plugin(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import torch\nfrom targets import register\n\n\n"
        '@register("digits-mine", sigma=0.25, data="digits")\ndef mine():\n'
        '    """A linear classifier."""\n    torch.manual_seed(0)\n'
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n",
        encoding="utf-8",
    )
    assert command("audit", "digits-mine", *SMALL, "--plugin", plugin, "--results", tmp_path / "r") == 0
    page = (tmp_path / "r" / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "run --suite audit --plugin mine.py --targets digits-mine" in page


def test_an_unknown_target_is_refused_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("audit", "digits-sigma0.5", "--results", tmp_path / "r") == 2
    assert "did you mean 'digits-sigma0.50'?" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("name", ["audit", "audit-cifar10"])
def test_the_estimate_knows_the_cost_of_every_attack(name: str):
    suite = load_suite(name)
    assert set(suite.attack_names()) == set(COST)
    # 50 images: ceilings and clean votes, and at each ε six attacks with their evaluation.
    calls = 2 * sum(1 + cost for cost in COST.values())
    # And at the sequential predictor the originals once, and at each ε what five attacks made of them.
    samples = suite.ceiling_samples + 1000 * (1 + calls) + SLOWED * MOST * (1 + 2 * 5)
    assert estimated([suite], 1e-3) == pytest.approx(50 * samples * 1e-3, abs=1)
