"""Progress: what it says, where, and what time it expects."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from benchmark_helpers import TARGET

from benchmark.terminal.progress import Bars, Forecast, Lines, Quiet, clock, describe, reporter


def cell(attack: str = "margin", epsilon: float = 0.5, budget: int | None = None) -> Any:
    target = SimpleNamespace(name=TARGET)
    return SimpleNamespace(target=target, attack_name=attack, epsilon=epsilon, query_budget=budget)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"), (0, "0 s"), (0.4, "0 s"), (8, "8 s"), (59.4, "59 s"), (59.6, "1:00"), (60, "1:00"),
        (185, "3:05"), (3599, "59:59"), (3599.7, "1:00:00"), (3723, "1:02:03"), (90_000, "25:00:00"),
    ],
)  # fmt: skip
def test_clock(seconds: float | None, text: str):
    assert clock(seconds) == text


def test_forecast_knows_nothing_before_the_first_cell():
    forecast = Forecast(6, ["a", "b"])
    assert forecast.cell("a") is None
    assert forecast.remaining() is None
    forecast.add("a", None)  # held by the store: nothing was learnt
    assert forecast.cell("a") is None
    assert forecast.remaining() is None


def test_forecast_expects_of_an_attack_what_it_took_and_of_a_new_one_the_mean():
    forecast = Forecast(6, ["a", "b"])
    forecast.add("a", 2.0)
    assert (forecast.cell("a"), forecast.cell("b")) == (2.0, 2.0)
    assert forecast.remaining() == 2 * 2 + 3 * 2
    forecast.add("a", 4.0)
    assert (forecast.cell("a"), forecast.cell("b")) == (3.0, 3.0)
    forecast.add("b", 12.0)
    assert (forecast.cell("a"), forecast.cell("b")) == (3.0, 12.0)
    assert forecast.remaining() == 1 * 3 + 2 * 12
    forecast.add("b", None)
    assert forecast.remaining() == 1 * 3 + 1 * 12


def test_forecast_comes_down_to_zero_and_no_further():
    forecast = Forecast(2, ["a"])
    for _ in range(3):
        forecast.add("a", 1.0)
    assert forecast.remaining() == 0.0


def test_lines_say_each_cell_that_ran(capsys: pytest.CaptureFixture[str]):
    lines = Lines(4, ["clean", "margin"])
    for position, (attack, seconds, status, rate) in enumerate(
        [("clean", 9.0, "stored", None), ("clean", 1.0, "ok", 0.125), ("margin", 3.0, "failed", None)], 1
    ):
        lines.start(cell(attack), position)
        lines.tick()
        lines.finish(cell(attack), seconds, status, rate)
    lines.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"[2/4] {TARGET} × clean × ε 0.5: ok, abstention 12.5% (1.0 s; 2 s left)",
        f"[3/4] {TARGET} × margin × ε 0.5: failed (3.0 s; 3 s left)",
    ]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]):
    quiet = reporter(1, ["clean"], quiet=True)
    assert isinstance(quiet, Quiet)
    quiet.start(cell(), 1)
    quiet.tick()
    quiet.finish(cell(), 1.0, "failed", None)
    quiet.close()
    assert capsys.readouterr() == ("", "")


def test_bars_on_a_terminal_show_all_cells_the_current_one_and_the_time_left(monkeypatch: pytest.MonkeyPatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(Bars, "SMALLEST_WAIT", 0.0)
    bars = reporter(4, ["clean", "margin"], quiet=False)
    assert isinstance(bars, Bars)
    for position, (attack, status) in enumerate(
        [("clean", "ok"), ("margin", "failed"), ("clean", "stored"), ("margin", "ok")], 1
    ):
        bars.start(cell(attack), position)
        bars.tick()
        bars.finish(cell(attack), 90.0, status, None)
    assert bars.overall.n == 4
    bars.close()
    bars.close()  # a stopped run closes twice
    text = stream.getvalue()
    assert "all cells" in text
    assert f"{TARGET} × margin × ε 0.5" in text
    assert f"{TARGET} × margin × ε 0.5: failed\n" in text
    assert "4/4 cells" in text
    assert "4:30 left" in text


def test_lines_tell_of_what_cells_share_where_that_takes_long(monkeypatch: pytest.MonkeyPatch, capsys: Any):
    now = [0.0]
    monkeypatch.setattr("benchmark.terminal.progress.time.monotonic", lambda: now[0])
    lines = Lines(4, ["clean"])
    lines.start(cell("clean"), 1)
    for second, done in enumerate(range(20, 64, 2)):  # 20 were held; 2 a second
        now[0] = float(second)
        lines.stage("ceilings", "images", done, 1062)
    lines.stage("surrogate", "epochs", 0, 20)
    now[0] = 34.0
    lines.stage("surrogate", "epochs", 2, 20)
    lines.stage("surrogate", "epochs", 20, 20)
    assert capsys.readouterr().err.splitlines() == [
        "[1/4] digits-sigma0.50 × clean × ε 0.5: ceilings: 40 of 1,062 images, 8:31 left",
        "[1/4] digits-sigma0.50 × clean × ε 0.5: ceilings: 60 of 1,062 images, 8:21 left",
        "[1/4] digits-sigma0.50 × clean × ε 0.5: surrogate: 2 of 20 epochs, 1:57 left",
    ]


def test_bars_tell_of_what_cells_share(monkeypatch: pytest.MonkeyPatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    bars = Bars(2, ["clean"])
    bars.start(cell("clean"), 1)
    bars.stage("answers to the adversary", "images", 0, 9000)
    bars.stage("answers to the adversary", "images", 4500, 9000)
    assert "answers to the adversary: 4,500 of 9,000 images, 0 s left" in stream.getvalue()
    bars.stage("answers to the adversary", "images", 9000, 9000)
    bars.finish(cell("clean"), 1.0, "ok", 0.0)
    bars.close()
    assert "9,000 of 9,000" not in stream.getvalue()


def test_lines_elsewhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(reporter(1, ["clean"], quiet=False), Lines)


def test_describe():
    assert describe(cell("cw", 1.0)) == f"{TARGET} × cw × ε 1"
    assert describe(cell("nes", 0.5, 1000)) == f"{TARGET} × nes × ε 0.5 × ≤ 1,000 queries"


def test_the_forecast_ends_at_nothing_whatever_cells_there_were_and_is_shared_by_workers():
    forecast = Forecast(4, ["a", "b"])
    forecast.add("a", 4.0)
    forecast.add("a", 4.0)
    assert forecast.remaining() == pytest.approx(8.0)
    assert forecast.remaining(workers=2) == pytest.approx(4.0)
    forecast.add("b", 1.0)
    forecast.add("best-of none", 1.0)
    assert forecast.remaining() == 0.0
