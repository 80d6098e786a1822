"""The whole experiment on a tiny target: its findings, a second run, and a run that is stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_tiny import SETTINGS, run

from benchmark import cell
from benchmark.seed_paper import Result, paper, trained_surrogate
from benchmark.seed_paper.settings import PER_IMAGE
from targets import InputError, SmoothedClassifier


def test_everything_that_the_paper_reports_is_found(result: Result):
    found = result.findings
    cells = {(cell.labels, cell.queries): cell for cell in found.accuracies}
    assert cells.keys() == paper.ACCURACY.keys()
    assert [cell.paper for cell in cells.values()] == [paper.ACCURACY[key] for key in cells]
    assert cells["true", "train"].held_out.images == 40  # the test images
    assert cells["true", "test"].held_out.images == 80
    assert cells["black-box", "test"].held_out.images == 4  # a tenth of its own
    assert {(row.attack, row.queries) for row in found.on_surrogate} == {
        (attack, queries) for attack in paper.ON_SURROGATE for queries in PER_IMAGE
    }
    assert [(c.n, c.sent) for c in found.columns] == [
        (n, sent) for n in SETTINGS.samples for sent in ("original", "cw-transfer", "tv-transfer")
    ]
    assert found.everything.abstention.images == 40
    assert {c.abstention.images for c in found.columns} == {4}
    assert [(c.n, c.attack) for c in found.confusions] == [(n, a) for n in SETTINGS.samples for a in paper.STAYED]
    kinds = {(row.queries, row.smoothed) for row in found.surrogates}
    assert kinds == {*((name, False) for name in PER_IMAGE), ("test", True), ("train", True)}
    assert {(row.attack, row.access) for row in found.attacks} == {
        *((name, "transfer") for name in ("cw-transfer", "tv-transfer", "margin-transfer")),
        *((name, "white-box") for name in ("margin", "cw")),
    }


def test_the_tables_agree_with_each_other(result: Result):
    found = result.findings
    columns = {(column.n, column.sent): column for column in found.columns}
    assert found.again.abstention.images == 4
    assert (
        0
        <= found.again_stayed
        <= min(found.again.abstention.hits, columns[SETTINGS.samples[0], "original"].abstention.hits)
    )
    for confusion in found.confusions:
        counts = np.array(confusion.counts)
        assert counts.sum() == 4
        assert counts[-1].sum() == columns[confusion.n, "original"].abstention.hits
        assert counts[:, -1].sum() == columns[confusion.n, confusion.attack].abstention.hits
    first = SETTINGS.samples[0]
    for row in found.attacks:
        if row.queries == "test" and (first, row.attack) in columns:
            assert row.abstention == columns[first, row.attack].abstention
            assert row.abstention_p == columns[first, row.attack].abstention_p


def test_the_white_box_attack_makes_a_linear_target_abstain(result: Result):
    """On a linear target it lands on the tie, which is within reach of every image here."""
    margin = next(row for row in result.findings.attacks if row.attack == "margin")
    assert margin.valid.hits == margin.valid.images
    assert margin.abstention.hits > result.findings.columns[0].abstention.hits


def test_a_second_run_only_reads(result: Result, folder: Path, monkeypatch: pytest.MonkeyPatch):
    before = sorted(path.relative_to(folder) for path in (folder / "results").rglob("*"))

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a second run computes something")

    monkeypatch.setattr(SmoothedClassifier, "predict", refuse)
    monkeypatch.setattr(SmoothedClassifier, "votes", refuse)
    monkeypatch.setattr(trained_surrogate, "train", refuse)
    monkeypatch.setattr(cell, "CEILING_VERSION", cell.CEILING_VERSION + 1)  # which is of the boards' ceilings alone
    again = run(folder / "results").findings.json()
    once = result.findings.json()
    assert {key: again[key] for key in again if key != "created"} == {
        key: once[key] for key in once if key != "created"
    }
    assert sorted(path.relative_to(folder) for path in (folder / "results").rglob("*")) == before


def test_a_run_stopped_in_the_middle_goes_on_to_the_same_findings(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real, calls = SmoothedClassifier.predict, []

    def stopping(self: SmoothedClassifier, *arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 9:  # the queries are answered, the surrogates trained, two attacks run
            raise KeyboardInterrupt
        return real(self, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(SmoothedClassifier, "predict", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "results")
    again = run(tmp_path / "results").findings.json()
    once = result.findings.json()
    for key in once.keys() - {"created"}:
        assert again[key] == once[key], key


def test_adversarial_images_keep_to_the_originals_where_the_budget_is_broken(result: Result):
    for returned in result.returned.values():
        assert returned.shape == result.originals.shape
        assert bool(torch.isfinite(returned).all())
    assert set(result.norms) == set(paper.ON_SURROGATE)


def test_too_many_images_is_said_in_one_line(tmp_path: Path):
    with pytest.raises(InputError, match="give a number from 1 to 60"):
        run(tmp_path / "results", images=61)
