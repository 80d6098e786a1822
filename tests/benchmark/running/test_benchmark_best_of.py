"""``best-of`` rows: the best choice, on fresh noise, at the cost of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from benchmark_helpers import board, define, images, records, run, suite_file

from attacks import Decision, Transfer, WhiteBox
from leaderboard import Store
from targets.models import SmallCNN

FORWARD = {"left": 10, "right": 7}


def spending(side: str, move: float):
    """An attack that spends white-box samples and darkens the images on one side of the batch."""

    def act(model, originals):
        model.logits(originals, torch.zeros(len(originals), FORWARD[side], *originals.shape[1:]))
        moved = originals.clone()
        half = slice(0, 2) if side == "left" else slice(2, 4)
        moved[half, :, 4, 4] = (moved[half, :, 4, 4] - move).clamp(0, 1)
        return moved

    return act


def suite(tmp_path: Path, attacks: list[str], **values: object) -> Path:
    return suite_file(tmp_path / "s.toml", attacks=attacks, best_of=True, **values)


def test_each_image_gets_the_better_attack_on_noise_of_its_own_and_the_cost_is_the_sum(tmp_path: Path):
    define("left", WhiteBox, spending("left", 0.4))
    define("right", WhiteBox, spending("right", 0.4))
    assert run(suite(tmp_path, ["left", "right"]), tmp_path / "r") == 0
    left, right, best = (records(tmp_path / "r", name) for name in ("left", "right", "best-of white-box"))
    chosen = images(tmp_path / "r", "best-of white-box")
    members = [images(tmp_path / "r", name) for name in ("left", "right")]
    by_left = left.p.to_numpy() > right.p.to_numpy()
    for row, image in enumerate(left.image):
        if left.p[row] != right.p[row]:
            assert np.array_equal(chosen[image], members[0 if by_left[row] else 1][image])
    assert best.forward_samples.tolist() == [10 + 7 + 2 * 100] * 4
    assert best.queries.tolist() == [0] * 4
    # The same image, other noise: a winner chosen on the votes it is judged by would be the luckiest.
    assert best.first_votes.tolist() != np.where(by_left, left.first_votes, right.first_votes).tolist()
    (row,) = (row for row in board(tmp_path / "r") if row["attack"] == "best-of white-box")
    assert row["access"] == "white-box"
    assert row["parameters"] == {"attacks": "left, right"}
    assert row["status"] == "ok"


def test_what_broke_the_budget_rule_is_chosen_as_the_original_that_was_sent(tmp_path: Path):
    define("far", Decision, lambda model, originals: 1 - originals)
    define("still", Decision, lambda model, originals: None)
    assert run(suite(tmp_path, ["far", "still"]), tmp_path / "r") == 0
    best = records(tmp_path / "r", "best-of decision")
    assert best.validity.tolist() == ["valid"] * 4
    assert not best.changed.any()


def test_a_failed_member_fails_it_and_a_class_of_one_has_none(tmp_path: Path):
    healthy = [False]

    def brittle(model, originals):
        if not healthy[0]:
            raise RuntimeError("not today")

    define("brittle", WhiteBox, brittle)
    define("sound", WhiteBox, lambda model, originals: None)
    define("alone", Decision, lambda model, originals: None)
    path = suite(tmp_path, ["brittle", "sound", "alone"])
    assert run(path, tmp_path / "r") == 1
    errors = {c.settings["attack"]: c.error for c in Store.read(tmp_path / "r").cells() if c.status != "ok"}
    assert set(errors) == {"brittle", "best-of white-box"}
    assert "brittle failed" in errors["best-of white-box"]
    healthy[0] = True
    assert run(path, tmp_path / "r") == 0
    names = [row["attack"] for row in board(tmp_path / "r")]
    assert "best-of decision" not in names
    assert names.count("best-of white-box") == 1


def test_the_surrogates_queries_are_counted_where_the_members_ran_before(tmp_path: Path):
    def act(model, originals):
        model.surrogate("mine", lambda: SmallCNN(num_classes=10), lambda *_: None)

    define("one", Transfer, act)
    define("two", Transfer, act)
    path = suite_file(tmp_path / "s.toml", attacks=["one", "two"], samples=20)
    assert run(path, tmp_path / "r") == 0
    assert run(suite(tmp_path, ["one", "two"], samples=20), tmp_path / "r") == 0
    counted = {row["attack"]: row["surrogate_queries"] for row in board(tmp_path / "r")}
    assert counted == {"one": 400, "two": 400, "best-of transfer": 400}


def test_query_budgets_give_a_row_each_and_the_best_is_of_the_largest(tmp_path: Path, counted_votes):
    def asks(model, originals):
        spent = 0
        while model.queries_left(0) > 0 and spent < 8:
            model.predict(originals)
            spent += 1

    define("one", Decision, asks)
    define("two", Decision, asks)
    path = suite(tmp_path, ["one", "two"], query_budgets=[2, 5])
    assert run(path, tmp_path / "r") == 0
    cells = Store.read(tmp_path / "r").cells()
    spent = {
        (c.settings["attack"], c.settings["query_budget"]): Store.read(tmp_path / "r").records(c.key).queries.tolist()
        for c in cells
    }
    assert spent == {
        ("one", 5): [5] * 4,
        ("one", 2): [2] * 4,
        ("two", 5): [5] * 4,
        ("two", 2): [2] * 4,
        ("best-of decision", 5): [10] * 4,
    }
    # What was asked under the larger budget is remembered under the smaller.
    assert sum(purpose == "query one 0.5" for _, purpose, _ in counted_votes) == 5
