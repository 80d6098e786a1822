"""``reevaluate``: stored images scored again, against exact probabilities and against what a run finds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_helpers import board, command, define, error_line, run, suite_file
from scipy.stats import binom, norm
from torch import nn

from attacks import WhiteBox
from benchmark.key import settings_key
from leaderboard import Store, StoredCell
from leaderboard.stored.source import LANDED_FOR, ORIGIN
from targets import ABSTAIN, DATA, register
from targets.binomial import smallest_sufficient

SIGMA = 0.5


def cells(results: Path) -> dict[tuple[str, int, int], StoredCell]:
    """By attack, n and seed."""
    found = Store.read(results, settings_key).cells()
    return {(cell.settings["attack"], cell.settings["n"], cell.settings["seed"]): cell for cell in found}


def reevaluate(results: Path, *arguments: object) -> int:
    return command("reevaluate", "--results", results, "--device", "cpu", "--quiet", *arguments)


class Linear(nn.Module):
    """Two classes on either side of a plane; the other eight have no vote. p_A = Φ(|margin| / σ)."""

    def __init__(self) -> None:
        super().__init__()
        direction = torch.randn(64, generator=torch.Generator().manual_seed(0))
        self.register_buffer("direction", direction / direction.norm())
        middle = DATA["digits"].split("evaluation").images.flatten(1) @ self.direction
        self.register_buffer("offset", middle.median())

    def margin(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.direction - self.offset

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rest = torch.full((len(images), 8), -1e6, device=images.device)
        return torch.cat([self.margin(images)[:, None], torch.zeros(len(images), 1, device=images.device), rest], 1)


def test_votes_and_abstentions_are_those_of_the_exact_probabilities(tmp_path):
    module = Linear()
    register("linear-exact", sigma=SIGMA, data="digits")(lambda: module)
    define("step", WhiteBox, lambda model, images: (images + 0.4 / 8).clamp(0, 1))
    suite = suite_file(tmp_path / "s.toml", targets=["linear-exact"], attacks=["clean", "step"], images=20)
    assert run(suite, tmp_path / "r") == 0
    assert reevaluate(tmp_path / "r", "--samples", 1000, 10_000, "--alpha", 0.01) == 0
    store = Store.read(tmp_path / "r", settings_key)
    for cell in store.cells():
        if LANDED_FOR not in cell.settings:
            continue
        n, records = cell.settings["n"], store.records(cell.key)
        sent = torch.from_numpy(store.images(cell.settings[ORIGIN]))
        p_0 = norm.cdf(module.margin(sent).numpy() / SIGMA)
        votes_0 = np.where(records["first"] == 0, records.first_votes, n - records.first_votes)
        assert np.abs(votes_0 - n * p_0).max() < 5 * np.sqrt(n / 4)
        # PREDICT abstains where neither count rejects the tie: Binomial(n, p_0) between the two thresholds.
        most = next(k for k in range(n, 0, -1) if 2 * binom.sf(k - 1, n, 0.5) > 0.01)
        expected = binom.cdf(most, n, p_0) - binom.cdf(n - most - 1, n, p_0)
        abstained = int((records.outcome == ABSTAIN).sum())
        spread = np.sqrt((expected * (1 - expected)).sum())
        assert abs(abstained - expected.sum()) <= 4 * spread + 1e-6
        assert (records.ceiling >= expected - 1e-9).all()  # at what lies within ε of the original
    assert smallest_sufficient(0.01) < 1000


@pytest.fixture
def attacked(tmp_path: Path) -> Path:
    """Results of two attacks of one access and their best-of."""
    for name, length in (("short", 0.01), ("long", 0.3 / 8)):
        define(name, WhiteBox, lambda model, images, length=length: (images - length).clamp(0, 1))
    suite = suite_file(tmp_path / "s.toml", attacks=["clean", "short", "long"], best_of=True, images=5, shard=2)
    assert run(suite, tmp_path / "r") == 0
    return tmp_path / "r"


def test_what_is_scored_again_is_what_a_run_scores(attacked, tmp_path, capsys):
    """For attacks that do not look at n, a run at another n gives the same images, and so the same records."""
    assert reevaluate(attacked, "--samples", 400, "--seed", 0, 3) == 0
    assert run(tmp_path / "s.toml", tmp_path / "other", "--samples", "400", "--seed", "3", "--no-best-of") == 0
    mine, other = Store.read(attacked, settings_key), Store.read(tmp_path / "other", settings_key)
    compared = 0
    for cell in other.cells():
        (again,) = [
            one
            for one in mine.cells()
            if all(one.settings[name] == cell.settings[name] for name in ("attack", "n", "seed", "images"))
        ]
        columns = [name for name in other.records(cell.key) if name != "seconds"]
        left, right = mine.records(again.key)[columns], other.records(cell.key)[columns]
        assert left.equals(right)
        assert again.key != cell.key
        compared += 1
    assert compared == 9


def test_rows_say_so_and_nothing_is_run_again(attacked, counted_votes, capsys):
    before = board(attacked)
    counted_votes.clear()
    capsys.readouterr()
    assert reevaluate(attacked, "--samples", 100, 400) == 0
    out = capsys.readouterr().out
    assert "12 cells scored again, 0 stored already. No attack was run." in out
    assert {purpose for _, purpose, _ in counted_votes} == {"clean", "evaluation", "best-of"}
    after = board(attacked)
    assert [row for row in after if row["source"] == "computed"] == before
    again = [row for row in after if row["source"] == "re-evaluated"]
    assert len(again) == 4
    assert all(row["landed_for"] == {"n": 100, "alpha": 0.001, "seed": 0} for row in again)
    assert all((row["n"], row["rank"], row["status"], row["of_images"]) == (400, None, "ok", 5) for row in again)
    page = (attacked / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "## Landed for this n, and for another" in page
    assert "`python -m benchmark reevaluate --samples 100 400`: 12 cells" in page
    # Once more, nothing is sampled.
    counted_votes.clear()
    assert reevaluate(attacked, "--samples", 400) == 0
    assert counted_votes == []
    assert "0 cells scored again, 12 stored already." in capsys.readouterr().out


def test_an_attack_that_is_run_for_that_n_stands_beside_it(attacked, tmp_path, capsys):
    assert reevaluate(attacked, "--samples", 400, "--attacks", "short") == 0
    assert run(tmp_path / "s.toml", attacked, "--samples", "400", "--attacks", "short", "--no-best-of") == 0
    found = [row for row in board(attacked) if (row["attack"], row["n"]) == ("short", 400)]
    assert [row["source"] for row in found] == ["computed", "re-evaluated"]
    assert found[0]["superseded_cells"] == found[1]["superseded_cells"] == 0
    assert command("verify", attacked) == 0
    assert "ok    origins:            3 re-evaluated cells of the images of their origins" in capsys.readouterr().out


def test_it_goes_on_where_it_was_stopped(attacked, monkeypatch, capsys):
    from benchmark.recheck import scoring

    calls = []
    real = scoring.SampleCache.votes

    def votes(self, *arguments, **options):
        calls.append(options["purpose"])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(self, *arguments, **options)

    monkeypatch.setattr(scoring.SampleCache, "votes", votes)
    monkeypatch.setattr(scoring, "PIECE", 400)  # an image at a time
    assert reevaluate(attacked, "--samples", 400, "--attacks", "long") == 130
    assert "Run the same command again to go on." in capsys.readouterr().err
    assert len(list((attacked / "shared").glob("*.checkpoint"))) <= 1
    assert reevaluate(attacked, "--samples", 400, "--attacks", "long") == 0
    assert len(calls) == 6  # five images and the one that was stopped
    assert list((attacked / "shared").glob("*.checkpoint")) == []
    scored, held = map(int, re.findall(r"(\d+) cells scored again, (\d+) stored", capsys.readouterr().out)[0])
    assert scored + held == 3
    assert held >= 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "say how to score again"),
        (("--samples", 400, "--attacks", "shrot"), "unknown attack 'shrot'; did you mean 'short'?"),
        (("--samples", 400, "--epsilons", 0.25), "no cell has ε = 0.25; known: 0.5"),
        (("--samples", 5), "PREDICT would always abstain"),
        (("--samples", 100), "no cell is left to score again"),
        (("--alpha", 0), "alpha is 0"),
    ],
)
def test_bad_input_is_one_line(attacked, capsys, arguments, reason):
    capsys.readouterr()
    assert reevaluate(attacked, *arguments) == 2
    assert reason in error_line(capsys.readouterr().err)


def test_without_a_results_folder_none_is_made(tmp_path, capsys):
    assert reevaluate(tmp_path / "none", "--samples", 400) == 2
    assert "no results in" in error_line(capsys.readouterr().err)
    assert not (tmp_path / "none").exists()


def test_adopted_cells_and_those_of_other_weights_are_left_out(attacked, tmp_path, capsys):
    assert command("publish", "--results", attacked, "--output", tmp_path / "p") == 0
    assert command("adopt", tmp_path / "p", "--results", tmp_path / "a") == 0
    capsys.readouterr()
    assert reevaluate(tmp_path / "a", "--samples", 400) == 2
    done = capsys.readouterr()
    assert "12 cells are left out: they have no images here" in done.out
    assert "no cell is left" in error_line(done.err)


def test_a_target_that_is_another_by_now_is_left_out(tmp_path, capsys):
    module = Linear()
    register("linear-then", sigma=SIGMA, data="digits")(lambda: module)
    suite = suite_file(tmp_path / "s.toml", targets=["linear-then"], attacks=["clean"])
    assert run(suite, tmp_path / "r") == 0
    with torch.no_grad():
        module.offset += 0.1
    assert reevaluate(tmp_path / "r", "--samples", 400) == 2
    assert "1 cells are left out: they are of other weights than today's linear-then." in capsys.readouterr().out


def test_a_published_board_with_re_evaluated_rows_is_adopted_with_them(attacked, tmp_path, capsys):
    assert reevaluate(attacked, "--samples", 400) == 0
    assert command("publish", "--results", attacked, "--output", tmp_path / "p") == 0
    assert command("verify", tmp_path / "p") == 0
    capsys.readouterr()
    assert command("adopt", tmp_path / "p", "--results", tmp_path / "a") == 0
    out = capsys.readouterr().out
    assert "24 cells adopted" in out
    assert "Continue with: python -m benchmark run --suite s.toml" in out
    assert "reevaluate" not in out
    assert command("publish", "--results", tmp_path / "a") == 0
    sources = [row["source"] for row in json.loads((tmp_path / "a" / "leaderboard.json").read_text())["rows"]]
    assert (sources.count("adopted"), sources.count("re-evaluated")) == (4, 4)
    assert command("verify", tmp_path / "a") == 0
