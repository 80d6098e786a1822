"""What stored images cost the sequential predictor: against the slow way, and where the cost is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_helpers import TARGET, command, define, error_line, run, suite_file

from attacks import WhiteBox
from benchmark.recheck.sequential import WHAT
from leaderboard import Store
from leaderboard.stored.arrays import FOLDER
from targets import ABSTAIN, DATA, load
from targets.noise import BLOCK
from targets.stopping import PENDING, Sequential


def halfway(model: Any, images: Any) -> Any:
    """Every image moved towards grey, out of the budget for some of them."""
    return images + 0.1 * (0.5 - images)


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    define("halfway", WhiteBox, halfway)
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "halfway"], images=6, shard=4)
    assert run(suite, tmp_path / "r") == 0
    capsys.readouterr()
    return tmp_path / "r"


def again(folder: Path, *options: object) -> dict[str, Any]:
    assert command("reevaluate", "--sequential", "--results", folder, "--device", "cpu", *options) == 0
    content: dict[str, Any] = json.loads((folder / "sequential.json").read_text(encoding="utf-8"))
    return content


def slowly(images: Any, indices: list[int], n: int) -> tuple[list[int], list[int]]:
    """The predictor as its definition reads: the votes so far, looked at again and again until it decides."""
    target, rule = load(TARGET, "cpu"), Sequential(n, 0.001)
    outcomes, drawn = [], []
    for row, index in enumerate(indices):
        for samples in range(BLOCK, n + 1, BLOCK):
            votes = target.votes(images[[row]], samples, purpose="evaluation", indices=[index])
            if (decision := int(rule(votes, votes.sum(1))[0])) != PENDING:
                break
        outcomes.append(decision)
        drawn.append(samples)
    return outcomes, drawn


def test_costs_are_those_of_the_slow_way_on_the_evaluation_s_noise(folder, capsys):
    content = again(folder, "--samples", 2000)
    assert (content["n"], content["alpha"]) == (2000, 0.001)
    by_attack = {row["attack"]: row for row in content["rows"]}
    store = Store.read(folder)
    cells = [cell for cell in store.cells() if cell.settings["attack"] == "halfway"]
    indices = [index for cell in cells for index in cell.settings["images"]]
    originals = DATA["digits"].split("evaluation").images[indices]
    sent = halfway(None, originals)
    beyond = (sent - originals).flatten(1).norm(dim=1) > 0.5
    sent[beyond] = originals[beyond]
    for row, images in ((by_attack["clean"], originals), (by_attack["halfway"], sent)):
        outcomes, drawn = slowly(images, indices, 2000)
        assert (row["images"], row["samples"]) == (6, np.mean(drawn))
        assert row["abstention_rate"] == np.mean(np.array(outcomes) == ABSTAIN)
    assert by_attack["clean"]["samples"] == by_attack["clean"]["clean_samples"]
    assert by_attack["halfway"]["clean_samples"] == by_attack["clean"]["samples"]
    assert "halfway" in capsys.readouterr().out


def test_what_is_computed_is_stored_and_no_row_changes(folder, counted_votes):
    page = (folder / "leaderboard.json").read_bytes()
    first = again(folder, "--samples", 1000)
    assert counted_votes
    counted_votes.clear()
    assert again(folder, "--samples", 1000) == first
    assert [calls for calls in counted_votes if calls[1] == "evaluation"] == []
    assert (folder / "leaderboard.json").read_bytes() == page
    kinds = [json.loads(path.read_text())["settings"]["what"] for path in (folder / FOLDER).glob("*.json")]
    assert kinds.count(WHAT) == 2 + 4  # the originals of two shards, and what two attacks sent of each


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--samples", 100, 200], "one --samples"),
        (["--seed", 1], "no --seed"),
        (["--samples", 3], "always abstain"),
        (["--attacks", "halfwy"], "halfway"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, options, reason):
    assert command("reevaluate", "--sequential", "--results", folder, "--device", "cpu", *options) == 2
    assert reason in error_line(capsys.readouterr().err)
