"""``export`` and ``submit``: images out, and images made anywhere in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_helpers import TARGET, board, command, error_line, records, run, suite_file

from attacks import ATTACKS
from benchmark.key import settings_key
from leaderboard import Store
from leaderboard.statistics import binomial_quantile
from targets import ABSTAIN, DATA
from targets.data import evenly_spaced


@pytest.fixture
def results(tmp_path: Path) -> Path:
    assert run(suite_file(tmp_path / "s.toml", attacks=["clean"], images=8), tmp_path / "r") == 0
    return tmp_path / "r"


def export(path: Path, count: int = 8) -> dict[str, Any]:
    assert command("export", TARGET, "--images", count, "--samples", 100, "--output", path) == 0
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def submit(path: Path, results: Path, *arguments: object, name: str = "mine", epsilon: float = 0.5) -> int:
    words = ("--target", TARGET, "--epsilon", epsilon, "--name", name, "--results", results, "--device", "cpu")
    return command("submit", path, *words, "--quiet", *arguments)


def mine(results: Path) -> list[dict[str, Any]]:
    return [row for row in board(results) if row["source"] == "submitted"]


def test_what_is_exported(tmp_path):
    found = export(tmp_path / "x.npz", 5)
    split = DATA["digits"].split("evaluation")
    indices = evenly_spaced(len(split.images), 5)
    assert found["indices"].tolist() == indices
    np.testing.assert_array_equal(found["images"], split.images[indices].numpy())
    np.testing.assert_array_equal(found["labels"], split.labels[indices].numpy())
    assert (found["sigma"], found["n"], found["alpha"], found["num_classes"]) == (0.5, 100, 0.001, 10)
    assert found["images"].dtype == np.float32


def test_what_was_exported_and_is_submitted_unchanged_is_the_clean_row_within_noise(tmp_path, results):
    export(tmp_path / "x.npz")
    assert submit(tmp_path / "x.npz", results, "--queries", 7) == 0
    (row,) = mine(results)
    (clean,) = [row for row in board(results) if row["attack"] == "clean"]
    same = ("clean_abstention_rate", "ceiling", "n", "alpha", "seed", "of_images", "suite", "clean_accuracy")
    assert [row[name] for name in same] == [clean[name] for name in same]
    sent, kept = records(results, "mine"), records(results, "clean")
    shared = [name for name in kept if name.startswith(("clean_", "ceiling", "certified", "image", "label"))]
    assert sent[shared].equals(kept[shared])
    assert not sent.changed.any()
    assert (sent.l2 == 0).all()
    # The same images on other noise: each count of votes is within what chance allows of the other.
    same_class = sent["first"] == kept["first"]
    assert (np.abs(sent.first_votes - kept.first_votes)[same_class] < 6 * np.sqrt(100 / 2)).all()
    assert abs(row["abstention_rate"] - clean["abstention_rate"]) * 8 <= binomial_quantile(0.9999, 8, 0.5)
    assert (row["queries_mean"], row["access"], row["rank"]) == (7, "submitted", row["rank"])
    assert row["submitted"] == hashlib.sha256((tmp_path / "x.npz").read_bytes()).hexdigest()
    page = (results / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "mineˢ" in page
    assert row["submitted"] in page
    assert command("verify", results) == 0


def test_the_seed_is_drawn_and_recorded_and_not_drawn_again(tmp_path, results, capsys):
    export(tmp_path / "x.npz")
    assert submit(tmp_path / "x.npz", results) == 0
    (first,) = mine(results)
    assert first["queries_mean"] is None  # nobody said
    capsys.readouterr()
    assert submit(tmp_path / "x.npz", results) == 0
    assert "nothing was scored again" in capsys.readouterr().out
    assert submit(tmp_path / "x.npz", results, name="other", epsilon=0.25) == 0
    assert submit(tmp_path / "x.npz", results, "--queries", 3) == 0
    seeds = {row["parameters"]["evaluation_seed"] for row in mine(results)}
    assert len(seeds) == 1
    assert seeds.pop() >= 2**20  # 62 bits: one in 2^42 is below
    assert submit(tmp_path / "x.npz", results, "--seed", 5) == 0
    newest = [row for row in mine(results) if row["attack"] == "mine"]
    assert [row["parameters"]["evaluation_seed"] for row in newest] == [5]
    assert newest[0]["superseded_cells"] == 2
    assert first["superseded_cells"] == 0
    assert submit(tmp_path / "x.npz", tmp_path / "elsewhere") == 0
    (elsewhere,) = mine(tmp_path / "elsewhere")
    assert elsewhere["parameters"]["evaluation_seed"] != first["parameters"]["evaluation_seed"]


def test_the_noise_is_keyed_by_the_recorded_seed_and_by_no_known_one(tmp_path, results):
    export(tmp_path / "x.npz")
    for name, seed in (("a", 5), ("b", 5), ("c", 6), ("d", 0)):
        assert submit(tmp_path / "x.npz", results, "--seed", seed, name=name) == 0
    votes = {name: records(results, name).first_votes.tolist() for name in "abcd"}
    assert votes["a"] == votes["b"] != votes["c"]
    assert votes["d"] != records(results, "clean").first_votes.tolist()  # seed 0 of another purpose


def test_the_budget_rule_holds_for_strangers(tmp_path, results):
    images = export(tmp_path / "x.npz")["images"]
    images[0] = np.nan
    images[1] = images[1] + 2
    images[2] = np.clip(images[2] + 0.5, 0, 1)
    images[3] = np.clip(images[3] + 0.01, 0, 1)
    np.savez(tmp_path / "y.npz", images=images)
    assert submit(tmp_path / "y.npz", results) == 0
    found = records(results, "mine")
    assert found.validity.tolist()[:4] == ["not-finite", "out-of-range", "over-budget", "valid"]
    assert found.changed.tolist() == [False, False, False, True, False, False, False, False]
    (row,) = mine(results)
    assert (row["not_finite"], row["out_of_range"], row["over_budget"]) == (1, 1, 1)


def test_bytes_are_shares_of_255(tmp_path, results):
    images = np.full((8, 1, 8, 8), 128, dtype=np.uint8)
    np.savez(tmp_path / "grey.npz", images=images)
    assert submit(tmp_path / "grey.npz", results, epsilon=8.0) == 0
    found, originals = records(results, "mine"), export(tmp_path / "x.npz")["images"]
    assert set(found.validity) == {"valid"}
    assert found.outcome.isin([ABSTAIN, *range(10)]).all()
    grey = np.float32(128) / np.float32(255)
    np.testing.assert_allclose(found.l2, np.linalg.norm((originals - grey).reshape(8, -1), axis=1), rtol=1e-5)


def test_a_part_of_a_set_is_partial_and_other_indices_are_refused(tmp_path, results, capsys):
    arrays = export(tmp_path / "x.npz")
    np.savez(tmp_path / "part.npz", images=arrays["images"][[5, 1, 2]], indices=arrays["indices"][[5, 1, 2]])
    assert submit(tmp_path / "part.npz", results) == 0
    (row,) = mine(results)
    assert (row["images"], row["of_images"], row["status"]) == (3, 8, "partial")
    assert records(results, "mine").image.tolist() == sorted(arrays["indices"][[5, 1, 2]].tolist())
    np.savez(tmp_path / "odd.npz", images=arrays["images"][:2], indices=[3, 5])
    capsys.readouterr()
    assert submit(tmp_path / "odd.npz", results) == 2
    assert "`export` writes images with theirs" in error_line(capsys.readouterr().err)


def test_images_of_a_board_with_an_offset_are_placed_on_it(tmp_path):
    suite = suite_file(tmp_path / "s-from-7.toml", name="s-from-7", attacks=["clean"], images=8, offset=7)
    assert run(suite, tmp_path / "r") == 0
    indices = evenly_spaced(397, 8, 7)
    (clean,) = board(tmp_path / "r")
    assert (clean["suite"], records(tmp_path / "r", "clean").image.tolist()) == ("s-from-7", indices)
    images = DATA["digits"].split("evaluation").images[indices].numpy()
    np.savez(tmp_path / "x.npz", images=images, indices=indices)
    assert submit(tmp_path / "x.npz", tmp_path / "r") == 0
    (row,) = mine(tmp_path / "r")
    assert (row["suite"], row["images"], row["of_images"], row["status"]) == ("s-from-7", 8, 8, "ok")


def test_the_order_of_the_file_does_not_matter(tmp_path, results):
    arrays = export(tmp_path / "x.npz")
    order = np.array([3, 1, 0, 2, 7, 6, 5, 4])
    np.savez(tmp_path / "y.npz", images=arrays["images"][order], indices=arrays["indices"][order])
    assert submit(tmp_path / "x.npz", results, "--seed", 1, name="a") == 0
    assert submit(tmp_path / "y.npz", results, "--seed", 1, name="b") == 0
    assert records(results, "a").equals(records(results, "b"))


def test_without_a_board_the_suite_is_its_own(tmp_path):
    export(tmp_path / "x.npz")
    assert submit(tmp_path / "x.npz", tmp_path / "new", "--samples", 100, "--alpha", 0.01) == 0
    (row,) = mine(tmp_path / "new")
    assert (row["suite"], row["n"], row["alpha"], row["seed"], row["rank"]) == ("submitted", 100, 0.01, 0, 1)


def test_a_submission_is_scored_again_at_another_n_on_noise_nobody_knew(tmp_path, results):
    export(tmp_path / "x.npz")
    assert submit(tmp_path / "x.npz", results, "--seed", 5) == 0
    words = ("reevaluate", "--results", results, "--attacks", "mine", "--samples", 400, "--seed", 0, 1, "--quiet")
    assert command(*words) == 0
    store = Store.read(results, settings_key)
    again = [cell for cell in store.cells() if "landed_for" in cell.settings]
    assert [cell.settings["submitted"] for cell in again] == [mine(results)[0]["submitted"]] * 2
    votes = [store.records(cell.key).first_votes.tolist() for cell in again]
    assert votes[0] != votes[1]
    assert command("verify", results) == 0


def test_a_published_submission_stays_one(tmp_path, results):
    export(tmp_path / "x.npz")
    assert submit(tmp_path / "x.npz", results) == 0
    assert command("publish", "--results", results, "--output", tmp_path / "p") == 0
    assert command("adopt", tmp_path / "p", "--results", tmp_path / "a") == 0
    assert command("publish", "--results", tmp_path / "a") == 0
    assert {row["attack"]: row["source"] for row in board(tmp_path / "a")} == {"clean": "adopted", "mine": "submitted"}
    page = (tmp_path / "a" / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert f"python -m benchmark submit x.npz --target {TARGET}" in page


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--target", "digits-sigma0.51"), "did you mean"),
        (("--epsilon", 0), "epsilon is 0"),
        (("--epsilon", "nan"), "epsilon is nan"),
        (("--name", "margin"), "is an attack of the benchmark"),
        (("--name", "best-of everything"), "is an attack of the benchmark"),
        (("--name", "a\nb"), "is no method name"),
        (("--name", ""), "is no method name"),
        (("--queries", -1), "--queries is -1"),
        (("--samples", 3), "PREDICT would always abstain"),
        (("--alpha", 2), "alpha is 2"),
        (("--suite", "a\tb"), "is no suite name"),
    ],
)
def test_bad_options_are_one_line(tmp_path, results, capsys, arguments, reason):
    export(tmp_path / "x.npz")
    before = json.loads((results / "leaderboard.json").read_text(encoding="utf-8"))
    capsys.readouterr()
    assert submit(tmp_path / "x.npz", results, *arguments) == 2
    assert reason in error_line(capsys.readouterr().err)
    assert json.loads((results / "leaderboard.json").read_text(encoding="utf-8")) == before
    assert "margin" in ATTACKS


def test_a_bad_file_is_one_line_and_leaves_no_trace(tmp_path, results, capsys):
    (tmp_path / "x.npz").write_bytes(b"nothing")
    capsys.readouterr()
    assert submit(tmp_path / "x.npz", results) == 2
    assert "is no NPZ file" in error_line(capsys.readouterr().err)
    assert mine(results) == []


def test_rows_of_several_suites_ask_for_a_name(tmp_path, results, capsys):
    assert run(suite_file(tmp_path / "t.toml", attacks=["clean"], images=8), results) == 0
    export(tmp_path / "x.npz")
    capsys.readouterr()
    assert submit(tmp_path / "x.npz", results) == 2
    assert "are of several suites: s, t; name one" in error_line(capsys.readouterr().err)
    assert submit(tmp_path / "x.npz", results, "--suite", "t") == 0
    assert mine(results)[0]["suite"] == "t"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--output", "x.txt"), "ends in .npz"),
        (("--output", "nowhere/x.npz"), "there is no folder nowhere"),
        (("--output", "x.npz", "--images", 398), "from 1 to 397"),
        (("--output", "x.npz", "--samples", 2), "always abstain"),
    ],
)
def test_bad_exports_are_one_line(tmp_path, monkeypatch, capsys, arguments, reason):
    monkeypatch.chdir(tmp_path)
    assert command("export", TARGET, *arguments) == 2
    assert reason in error_line(capsys.readouterr().err)
    assert not (tmp_path / "x.npz").exists()
