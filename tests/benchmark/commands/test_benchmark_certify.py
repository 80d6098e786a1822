"""``certify``: radii are CERTIFY's, scripts of the field read the table, and the summary says what they say."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmark_helpers import TARGET, command

from benchmark.commands.certify import average_certified_radius, summary
from benchmark.tables.tsv import CERTIFY, Row, read
from leaderboard.statistics import clopper_pearson
from targets import load
from targets.data.digits import split

IMAGES, SETTINGS = 40, {"n0": 50, "n": 500, "alpha": 0.01, "seed": 3}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certify") / "t.tsv"
    assert command(
        "certify", TARGET, "--images", IMAGES, "--n0", 50, "--samples", 500, "--alpha", 0.01, "--seed", 3,
        "--device", "cpu", "--quiet", "--output", path,
    ) == 0  # fmt: skip
    return path


def test_radii_are_those_of_certify_rounded(table: Path):
    frame = pd.read_csv(table, delimiter="\t")
    indices = frame["idx"].tolist()
    images = split("evaluation").images[indices]
    labels, radii = load(TARGET, "cpu").certify(images, **SETTINGS, indices=indices)
    assert frame["predict"].tolist() == labels.tolist()
    assert frame["radius"].tolist() == [float(f"{radius:.3}") for radius in radii]
    assert len(set(frame["radius"])) > 10
    assert (frame["predict"] == -1).any()  # the table below has something to say of abstention


def test_pandas_reads_the_table_as_the_fields_scripts_do(table: Path):
    frame = pd.read_csv(table, delimiter="\t")
    assert tuple(frame.columns) == CERTIFY
    assert len(frame) == IMAGES
    assert (frame[frame["predict"] == -1]["radius"] == 0).all()
    times = [pd.Timedelta(time) for time in frame["time"]]
    assert all(timedelta(0) < time < timedelta(minutes=1) for time in times)


def test_the_summary_says_what_the_fields_scripts_say(table: Path):
    text = summary(read(table, CERTIFY))
    frame = pd.read_csv(table, delimiter="\t")
    shown = dict(re.findall(r"^(\d\.\d\d) +(.+)$", text, re.MULTILINE))
    assert [float(radius) for radius in shown] == list(np.arange(0, frame["radius"].max() + 1e-9, 0.25))
    assert len(shown) >= 3
    for radius, share in shown.items():
        # at_radius of locuslab/smoothing's analyze.py
        accuracy = (frame["correct"] & (frame["radius"] >= float(radius))).mean()
        low, high = clopper_pearson(round(accuracy * IMAGES), IMAGES)
        assert share == f"{accuracy:.1%} [{100 * low:.1f}, {100 * high:.1f}]"
    assert f"\nabstention {(frame['predict'] == -1).mean():.1%} [" in text
    assert text.endswith(f"\naverage certified radius {(frame['correct'] * frame['radius']).mean():.3f}")


def test_the_average_certified_radius_counts_right_answers_only():
    time = "0:00:01"
    rows = [Row(0, 1, 1, time, 0.8), Row(1, 1, 2, time, 0.9), Row(2, 1, -1, time, 0.0), Row(3, 1, 1, time, 0.4)]
    assert average_certified_radius(rows) == pytest.approx(0.3)
    assert summary(rows).splitlines()[2:6] == [
        "0.00      50.0% [6.8, 93.2]",
        "0.25      50.0% [6.8, 93.2]",
        "0.50      25.0% [0.6, 80.6]",
        "0.75      25.0% [0.6, 80.6]",
    ]


def test_the_summary_of_a_target_that_always_abstains():
    text = summary([Row(i, 1, -1, "0:00:01", 0.0) for i in range(4)])
    assert re.findall(r"^(\d\.\d\d) +(\S+)", text, re.MULTILINE) == [("0.00", "0.0%")]
    assert "abstention 100.0%" in text
    assert text.endswith("average certified radius 0.000")


def test_what_is_printed_names_the_settings(table: Path, capsys: pytest.CaptureFixture[str]):
    assert command(
        "certify", TARGET, "--images", IMAGES, "--n0", 50, "--samples", 500, "--alpha", 0.01, "--seed", 3,
        "--quiet", "--output", table,
    ) == 0  # fmt: skip
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{TARGET} · n0 = 50, n = 500, α = 0.01 · {IMAGES} images [95% CI]"
    assert summary(read(table, CERTIFY)) in out
    assert out.splitlines()[-1] == str(table)
    assert err == ""


def test_n0_below_one_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command("certify", TARGET, "--n0", 0, "--output", tmp_path / "t.tsv") == 2
    assert "n0 is 0; give at least 1 noise sample" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
