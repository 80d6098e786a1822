"""What stands beside a cell's results; and ceilings of held cells, proven anew where a suite can prove more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from benchmark_helpers import TARGET, define, nothing, records, run, suite_file

from attacks import NoAccess
from benchmark.key import CEILING_VERSION
from benchmark.running.clean_columns import ORIGINALS, PROVEN
from benchmark.running.clean_images import EVIDENCE
from leaderboard import Store, rows
from leaderboard.evidence import error_of
from targets import DATA, load
from targets.ceiling import ERROR, ceilings
from targets.confidence import certificate


@pytest.fixture
def held(tmp_path: Path) -> Callable[..., int]:
    """Runs a suite of one attack with so many ceiling samples, into one folder."""
    define("counted", NoAccess, nothing)

    def run_with(ceiling_samples: int) -> int:
        suite = suite_file(tmp_path / "s.toml", attacks=["counted"], ceiling_samples=ceiling_samples)
        return run(suite, tmp_path / "r")

    return run_with


def test_a_cell_s_ceiling_is_of_the_evidence_at_the_originals(tmp_path: Path):
    suite = suite_file(tmp_path / "s.toml", attacks=["clean"], ceiling_samples=400)
    assert run(suite, tmp_path / "r") == 0
    found = records(tmp_path / "r", "clean")
    target, images = load(TARGET, "cpu"), DATA["digits"].split("evaluation").images[found.image.tolist()]
    votes, halves = target.evidence(images, 400, indices=found.image.tolist())
    # At the largest ε that the budget rule accepts, and with the error that lets all images of a row hold at once.
    bounds = ceilings(votes, 0.5 * (1 + 1e-6), target.sigma, 100, 0.001, confidence=1 - 1e-6, halves=halves)
    assert found.ceiling.tolist() == bounds.tolist()
    clean = target.votes(images, 100, purpose="clean", indices=found.image.tolist())
    labels, radii = certificate(clean.argmax(1), votes, target.sigma, 0.001)
    assert found.certified_label.tolist() == labels.tolist()
    assert found.certified_radius.tolist() == radii.tolist()


def test_more_ceiling_samples_renew_the_ceilings_and_nothing_else(
    held: Callable[..., int],
    tmp_path: Path,
    counted_votes: list[tuple[str, str, int]],
    capsys: pytest.CaptureFixture[str],
):
    assert held(200) == 0
    before = records(tmp_path / "r", "counted")
    (cell,) = Store.read(tmp_path / "r").cells()
    counted_votes.clear()
    assert "new ceilings" not in capsys.readouterr().out
    assert held(2000) == 0
    assert "1 stored cells got new ceilings from at least 2,000 noise samples an image." in capsys.readouterr().out
    assert [purpose for _, purpose, _ in counted_votes] == ["ceiling"]
    after = records(tmp_path / "r", "counted")
    pd.testing.assert_frame_equal(before.drop(columns=list(PROVEN)), after.drop(columns=list(PROVEN)))
    assert (after.ceiling < before.ceiling).any()
    assert (after.certified_radius > before.certified_radius).all()
    (renewed,) = Store.read(tmp_path / "r").cells()
    assert (renewed.key, renewed.created, renewed.seconds) == (cell.key, cell.created, cell.seconds)
    assert renewed.settings == cell.settings | {"ceiling_samples": 2000}
    assert len(Store.read(tmp_path / "r").images(cell.key)) == 4

    # Fewer samples prove less: what is held stays.
    counted_votes.clear()
    assert held(200) == 0
    assert counted_votes == []
    pd.testing.assert_frame_equal(records(tmp_path / "r", "counted"), after)


def made_older(folder: Path, said: dict[str, Any]) -> tuple[Store, pd.DataFrame, pd.DataFrame]:
    """A results folder with its only cell as an older version left it, its records now, and those of before."""
    path = next((folder / "cells").glob("*.json"))
    content = json.loads(path.read_text())
    del content["settings"]["ceiling_version"]
    content["settings"] |= said
    del content["digests"], content["asked"]  # such a version had none
    path.write_text(json.dumps(content))
    store = Store.read(folder)
    proven = store.records(content["key"])
    older = proven.assign(ceiling=proven.ceiling * 0.9)  # with less confidence
    store.renew_cell(store.cells()[0], {}, older)
    return store, older, proven


@pytest.mark.parametrize("said", [{}, {"ceiling_version": CEILING_VERSION - 1}])
def test_ceilings_of_an_older_version_are_renewed(held: Callable[..., int], tmp_path: Path, said: dict[str, Any]):
    assert held(500) == 0
    store, _, proven = made_older(tmp_path / "r", said)
    assert held(500) == 0
    (cell,) = store.cells()
    pd.testing.assert_frame_equal(store.records(cell.key), proven)
    assert cell.settings["ceiling_version"] == CEILING_VERSION


@pytest.mark.parametrize("keeps_evidence", [True, False])
def test_fewer_samples_replace_no_ceilings_of_an_older_version_which_are_proven_anew_from_stored_evidence(
    held: Callable[..., int], tmp_path: Path, keeps_evidence: bool, counted_votes: list[tuple[str, str, int]]
):
    assert held(500) == 0
    store, older, proven = made_older(tmp_path / "r", {"ceiling_version": CEILING_VERSION - 1})
    for path in (tmp_path / "r" / "shared").glob("*.json"):
        what = json.loads(path.read_text())["settings"]["what"]
        if what == ORIGINALS or (what == EVIDENCE and not keeps_evidence):
            path.unlink()
            path.with_suffix(".npz").unlink()
    counted_votes.clear()
    assert held(200) == 0
    assert counted_votes == []
    (cell,) = store.cells()
    pd.testing.assert_frame_equal(store.records(cell.key), proven if keeps_evidence else older)
    assert cell.settings["ceiling_version"] == CEILING_VERSION - (not keeps_evidence)
    assert cell.settings["ceiling_samples"] == 500


def test_the_board_knows_the_error_of_today_s_ceilings(held: Callable[..., int], tmp_path: Path):
    assert error_of(CEILING_VERSION) == ERROR
    assert [error_of(version) for version in (None, 1, 2)] == [1e-3] * 3
    assert held(200) == 0
    (row,) = rows(Store.read(tmp_path / "r"))
    assert row["ceiling_error"] == pytest.approx(4 * ERROR)


STAGED: dict[str, Any] = {"targets": ["digits-sigma0.25"], "attacks": ["clean"], "epsilons": [0.4], "images": 6}
"""At 1.6 σ, 200 votes prove nothing, and 3,200 that nearly all agree prove that PREDICT answers."""


def run_staged(folder: Path, **values: Any) -> pd.DataFrame:
    suite = suite_file(folder.with_suffix(".toml"), **(STAGED | values))
    assert run(suite, folder) == 0
    found = pd.concat(Store.read(folder).records(cell.key) for cell in Store.read(folder).cells())
    return found.sort_values("image", ignore_index=True)


def test_sampling_on_lowers_ceilings_and_is_the_same_in_shards_and_in_a_second_run(
    tmp_path: Path, counted_votes: list[tuple[str, str, int]], capsys: pytest.CaptureFixture[str]
):
    most = {"ceiling_samples_max": 3200}
    whole = run_staged(tmp_path / "whole", **most)
    assert ("digits-sigma0.25", "ceiling", 6 + 3) in counted_votes  # three images are sampled on
    pd.testing.assert_frame_equal(
        *(found[list(PROVEN)] for found in (whole, run_staged(tmp_path / "s", shard=1, **most)))
    )

    # What is held gets the better ceilings, and keeps them when fewer samples are asked for.
    counted_votes.clear()
    single = run_staged(tmp_path / "later")
    assert ("digits-sigma0.25", "ceiling", 6) in counted_votes
    capsys.readouterr()
    counted_votes.clear()
    later = run_staged(tmp_path / "later", **most)
    assert counted_votes == [("digits-sigma0.25", "ceiling", 3)]
    assert "1 stored cells got new ceilings" in capsys.readouterr().out
    pd.testing.assert_frame_equal(later[list(PROVEN)], whole[list(PROVEN)])
    pd.testing.assert_frame_equal(later.drop(columns=["ceiling"]), single.drop(columns=["ceiling"]))
    for values in ({}, {"ceiling_samples": 300}, {"ceiling_samples": 100} | most):
        pd.testing.assert_frame_equal(run_staged(tmp_path / "later", **values), later)
    (row,) = rows(Store.read(tmp_path / "later"))
    assert (row["ceiling_samples"], row["ceiling_samples_max"]) == (200, 3200)

    # Never above the first stage at half of the error, and far below it on an image.
    target, images = load("digits-sigma0.25", "cpu"), DATA["digits"].split("evaluation").images[whole.image.tolist()]
    votes, halves = target.evidence(images, 200, indices=whole.image.tolist())
    half = ceilings(votes, 0.4 * (1 + 1e-6), 0.25, 100, 0.001, confidence=1 - ERROR / 2, halves=halves)
    assert (whole.ceiling <= half).all()
    assert whole.ceiling.min() < 0.5 < half.min()


def test_no_image_is_sampled_on_where_that_cannot_decide(tmp_path: Path, counted_votes: list[tuple[str, str, int]]):
    run_staged(tmp_path / "r", epsilons=[0.01, 2.0], ceiling_samples_max=3200)
    assert [images for _, purpose, images in counted_votes if purpose == "ceiling"] == [6]
