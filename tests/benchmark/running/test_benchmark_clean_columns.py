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
from benchmark.cell import CEILING_VERSION
from benchmark.running.clean_columns import PROVEN
from leaderboard import Store
from targets import DATA, load
from targets.ceiling import ceilings
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
    assert found.ceiling.tolist() == ceilings(votes, 0.5, target.sigma, 100, 0.001, halves=halves).tolist()
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
    assert "1 stored cells got new ceilings from 2,000 noise samples an image." in capsys.readouterr().out
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


@pytest.mark.parametrize("said", [{}, {"ceiling_version": CEILING_VERSION - 1}])
def test_ceilings_of_an_older_version_are_renewed(held: Callable[..., int], tmp_path: Path, said: dict[str, Any]):
    assert held(500) == 0
    path = next((tmp_path / "r" / "cells").glob("*.json"))
    content = json.loads(path.read_text())
    del content["settings"]["ceiling_version"]
    content["settings"] |= said
    del content["digests"], content["asked"]  # such a version had none
    path.write_text(json.dumps(content))
    store, key = Store.read(tmp_path / "r"), content["key"]
    proven = store.records(key)
    store.renew_cell(store.cells()[0], {}, proven.assign(ceiling=1.0))
    assert held(500) == 0
    pd.testing.assert_frame_equal(store.records(key), proven)
    assert store.cells()[0].settings["ceiling_version"] == CEILING_VERSION
