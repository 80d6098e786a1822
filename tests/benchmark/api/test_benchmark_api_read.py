"""Boards and comparisons, of results in memory and in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmark_helpers import ROOT, TARGET

from attacks.white_box.margin import Margin
from benchmark import board, compare, run
from targets import InputError

QUICK: dict[str, Any] = {"epsilons": 0.5, "images": 8, "samples": 100, "ceiling_samples": 200, "device": "cpu"}


def test_a_published_board_s_rows_are_those_of_its_page():
    folder = ROOT / "leaderboard" / "published" / "cifar10-larger"
    rows = board(folder)
    assert {row["suite"] for row in rows} == {"cifar10-larger"}
    assert all(row["status"] == "ok" for row in rows)


def test_two_results_and_two_attacks_are_compared(tmp_path: Path):
    weak = run(TARGET, ["clean", Margin(steps=1, settle_steps=0)], **QUICK)
    strong = run(TARGET, ["clean", "margin"], **QUICK)
    lines = {line["attack"]: line for line in compare(weak, strong)}
    assert set(lines) >= {"clean", "margin"}
    assert lines["clean"]["difference"] == 0
    rates = {name: row["abstention_rate"] for row in strong.rows for name in [row["attack"]]}
    line = lines["margin"]
    assert line["rate_b"] == rates["margin"]
    assert line["difference"] == line["rate_b"] - line["rate_a"] == (line["only_b"] - line["only_a"]) / line["images"]
    assert line["difference_low"] <= line["difference"] <= line["difference_high"]
    strong.save(tmp_path / "strong")
    assert [one["p"] for one in compare(weak, tmp_path / "strong")] == [one["p"] for one in compare(weak, strong)]
    (two,) = compare("clean", "margin", within=strong)
    assert (two["rate_a"], two["rate_b"]) == (rates["clean"], rates["margin"])
    with pytest.raises(InputError, match="unknown attack 'nes'"):
        compare("clean", "nes", within=strong)
