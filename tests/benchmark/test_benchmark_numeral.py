"""Numbers that no float holds are refused as they were typed, wherever they are typed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from benchmark_helpers import TARGET, command, error_line

from benchmark.numeral import numeral


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("0.0", 0), ("0e5", 0), ("-1.5", -1.5), ("1e-320", 1e-320), ("1E3", 1000)]
)
def test_a_number_is_what_it_says(text: str, value: float):
    assert numeral(text) == value


def test_infinity_and_nan_can_be_said():
    assert numeral("-inf") == -math.inf
    assert math.isnan(numeral("nan"))


@pytest.mark.parametrize("text", ["", "a", "0.1.2", "0,5"])
def test_what_is_no_number(text: str):
    with pytest.raises(ValueError, match="could not convert"):
        numeral(text)


@pytest.mark.parametrize(("text", "words"), [("1e-400", "too near to 0"), ("-1E400", "too large")])
def test_what_no_float_holds(text: str, words: str):
    with pytest.raises(OverflowError, match=f"^{text} is {words} for a number here$"):
        numeral(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--alpha", "1e-400"], "argument --alpha: 1e-400 is too near to 0 for a number here"),
        (["predict", TARGET, "--alpha", "1e400"], "argument --alpha: 1e400 is too large for a number here"),
        (["run", "--epsilons", "0.5", "1e-400"], "argument --epsilons: 1e-400 is too near to 0 for a number here"),
        (["run", "--alpha", "0,001"], "argument --alpha: invalid float value: '0,001'"),
    ],
)
def test_on_the_command_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        command(*words)
    assert stop.value.code == 2
    assert f"error: {said}; see " in error_line(capsys.readouterr().err)


@pytest.mark.parametrize("line", ["alpha = 1e-400", "epsilons = [1e-400]", "[settings.margin]\nlearning_rate = 1e-400"])
def test_in_a_suite_file(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "s.toml").write_text(line, encoding="utf-8")
    assert command("run", "--suite", tmp_path / "s.toml", "--results", tmp_path / "r") == 2
    said = error_line(capsys.readouterr().err)
    assert said == "error: suite file s.toml: 1e-400 is too near to 0 for a number here"


def test_in_a_hyper_parameter(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["--targets", TARGET, "--attacks", "margin", "--set", "margin.learning_rate=1e-400"]
    assert command("run", *words, "--results", tmp_path / "r") == 2
    assert error_line(capsys.readouterr().err).endswith(": 1e-400 is too near to 0 for a number here")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epsilons", "1e-320"], "epsilon is 1e-320; give a number above 0, from 1e-06 to"),
        (["--alpha", "0.9999999999"], "alpha is 0.9999999999; give a number above 0 and at most 0.5, "),
    ],
)
def test_numbers_are_quoted_as_they_are(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert command("run", "--targets", TARGET, "--attacks", "clean", *words, "--results", tmp_path / "r") == 2
    assert said in error_line(capsys.readouterr().err)
