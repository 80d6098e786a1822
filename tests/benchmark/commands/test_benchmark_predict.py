"""``predict``: answers are PREDICT's, and the rates printed are the table's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from benchmark_helpers import command

from benchmark.tables.tsv import PREDICT, SEQUENTIAL
from leaderboard.statistics import clopper_pearson
from targets import load
from targets.data.digits import split

NOISY = "digits-sigma1.00"


@pytest.fixture
def printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], pd.DataFrame]:
    """The lines of a run's output, and its table."""
    path = tmp_path / "t.tsv"
    assert command("predict", NOISY, "--images", 60, "--samples", 200, "--seed", 5, "--quiet", "--output", path) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-1] == str(path)
    return out.splitlines(), pd.read_csv(path, delimiter="\t")


def test_answers_are_those_of_predict(printed: tuple[list[str], pd.DataFrame]):
    _, frame = printed
    assert tuple(frame.columns) == PREDICT
    indices = frame["idx"].tolist()
    labels = load(NOISY, "cpu").predict(split("evaluation").images[indices], n=200, seed=5, indices=indices)
    assert frame["predict"].tolist() == labels.tolist()
    assert {-1, 0, 1} <= set(frame["predict"]) | set(frame["correct"])


def test_the_rates_are_those_of_the_table(printed: tuple[list[str], pd.DataFrame]):
    lines, frame = printed
    assert lines[0] == f"{NOISY} · n = 200, α = 0.001 · 60 images [95% CI]"
    for line, name, hits in [
        (lines[1], "accuracy  ", int(frame["correct"].sum())),
        (lines[2], "abstention", int((frame["predict"] == -1).sum())),
    ]:
        assert 0 < hits < 60
        low, high = clopper_pearson(hits, 60)
        assert line == f"{name} {hits / 60:.1%} [{100 * low:.1f}, {100 * high:.1f}]"


def test_an_n_that_always_abstains_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("predict", NOISY, "--samples", 10, "--output", tmp_path / "t.tsv") == 2
    assert "PREDICT would always abstain; give n of at least 11" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_sequential_predictor_says_what_it_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "t.tsv"
    options = ("--images", 60, "--samples", 2000, "--sequential", "--quiet", "--output", path)
    assert command("predict", NOISY, *options) == 0
    lines = capsys.readouterr().out.splitlines()
    frame = pd.read_csv(path, delimiter="\t")
    assert tuple(frame.columns) == SEQUENTIAL
    indices = frame["idx"].tolist()
    labels, used = load(NOISY, "cpu").predict_sequentially(split("evaluation").images[indices], 2000, indices=indices)
    assert frame["predict"].tolist() == labels.tolist()
    assert frame["samples"].tolist() == used.tolist()
    assert lines[0] == f"{NOISY} · sequential, at most n = 2,000, α = 0.001 · 60 images [95% CI]"
    assert lines[3] == f"samples    {used.mean():,.0f} an image, {used.max():,} at most"


def test_the_two_predictors_never_share_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "t.tsv"
    assert command("predict", NOISY, "--images", 5, "--quiet", "--output", path) == 0
    assert command("predict", NOISY, "--images", 5, "--sequential", "--quiet", "--output", path) == 2
    assert "is not a table with columns" in capsys.readouterr().err
