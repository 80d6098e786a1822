"""One row under several seeds: the paired test against its definition and its level, and the finding that follows."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from leaderboard import publish, rows
from leaderboard.board import measured
from leaderboard.checks import check
from leaderboard.checks.comparisons import LEVEL
from leaderboard.seeds import _compared
from leaderboard.variants import variants

IMAGES = list(range(40))


def outcomes(abstaining: int, first: int = 0) -> list[int]:
    """Answers to 40 images, but abstention on so many, from the image ``first`` on."""
    return [-1 if first <= image < first + abstaining else image % 10 for image in IMAGES]


def one(store: Any, attack: str = "margin") -> list[Any]:
    return sorted((row for row in rows(store) if row["attack"] == attack), key=lambda row: row["seed"])


def test_rows_of_several_seeds_know_each_other(store, add):
    for seed, count in ((2, 30), (0, 5), (1, 8)):
        add({"outcome": outcomes(count)}, seed=seed, images=IMAGES)
    add({"outcome": outcomes(30)}, seed=0, images=IMAGES, epsilon=0.5)
    near, far = [row for row in rows(store) if row["epsilon"] == 0.5], [r for r in rows(store) if r["epsilon"] == 1.0]
    assert all("across_seeds" not in row for row in near)
    p = 3 * binomtest(25, 25).pvalue  # of three pairs; 25 images abstain under seed 2 alone
    expected = {"seeds": [0, 1, 2], "abstaining": [5, 8, 30], "p": pytest.approx(p), "apart": [0, 2]}
    assert [row["across_seeds"] for row in far] == [expected] * 3


@pytest.mark.parametrize(
    "other", [{"n": 500}, {"alpha": 0.01}, {"parameters": {"steps": 3}}, {"images": IMAGES[:-1]}, {"suite": "another"}]
)
def test_only_the_same_row_on_the_same_images_is_compared(store, add, other):
    add({"outcome": outcomes(5)}, seed=0, images=IMAGES)
    columns = {"outcome": outcomes(30)[: len(other.get("images", IMAGES))]}
    if "n" in other:
        columns["outcome"] = [0] * 40
    add(columns, **({"seed": 1, "images": IMAGES} | other))
    assert not any("across_seeds" in row for row in rows(store) if row["status"] == "ok" and row["seed"] == 0)


def test_the_order_of_the_images_in_a_cell_changes_nothing(store, add):
    add({"outcome": outcomes(12)}, seed=0, images=IMAGES)
    back = [outcomes(12)[image] for image in reversed(IMAGES)]
    add({"outcome": back}, seed=1, images=IMAGES[::-1])
    assert one(store)[0]["across_seeds"]["p"] == 1.0


def test_equal_rates_on_other_images_are_no_difference():
    """The rate is what is compared: as many images fall under either seed, though others."""
    found = _compared([0, 1], [np.array(outcomes(10)) == -1, np.array(outcomes(10, first=20)) == -1])
    assert (found["abstaining"], found["p"]) == ([10, 10], 1.0)


def test_seeds_that_differ_by_noise_alone_are_told_apart_no_more_often_than_the_level():
    random, times = np.random.default_rng(0), 600
    chances = random.beta(0.5, 0.5, size=(times, 50))  # some images always fall, some never, some by chance
    p = []
    for chance in chances:
        p.append(_compared(range(4), [random.random(50) < chance for _ in range(4)])["p"])
    assert np.mean(np.array(p) <= 0.05) <= 0.05
    assert min(p) < 0.5  # and the test is not mute


def test_the_p_value_is_that_of_all_pairs_together():
    random = np.random.default_rng(1)
    abstains = [random.random(60) < chance for chance in (0.3, 0.5, 0.6)]
    pairs = []
    for a, b in combinations(abstains, 2):
        more, fewer = int((a & ~b).sum()), int((~a & b).sum())
        pairs.append(binomtest(more, more + fewer).pvalue)
    assert _compared([3, 5, 8], abstains)["p"] == pytest.approx(3 * min(pairs))


def test_a_rate_that_depends_on_the_seed_is_a_warning_once_an_attack_and_target(store, add, tmp_path: Path):
    for epsilon, counts in ((0.5, (4, 4, 4)), (1.0, (5, 9, 33)), (2.0, (6, 40, 39))):
        for seed, count in enumerate(counts):
            add({"outcome": outcomes(count), "changed": True, "l2": 0.1}, seed=seed, images=IMAGES, epsilon=epsilon)
            add({"outcome": outcomes(3)}, attack="clean", access="none", seed=seed, images=IMAGES, epsilon=epsilon)
    page, data, *_ = publish(
        store, tmp_path / "board", commit="c", version="0", created="2024-01-01T00:00:00Z", command=lambda _: "run"
    )
    content = json.loads(data.read_text(encoding="utf-8"))
    (found,) = [finding for finding in content["checks"] if finding["kind"] == "seeds"]
    assert (found["severity"], found["seed"], found["attacks"]) == ("warning", 0, ["margin"])
    assert found["text"] == (
        "margin on toy-sigma0.50: its rate depends on the seed: at ε = 2.0 6 of 40 images abstain with seed 0, 40 with"
        " seed 1, more than noise on the same images explains; also ε = 1.0"
    )
    assert found["places"] == [{"target": "toy-sigma0.50", "epsilon": epsilon} for epsilon in (1.0, 2.0)]
    assert "its rate depends on the seed" in page.read_text(encoding="utf-8")


def test_the_comparisons_of_a_board_share_the_level(store, add):
    # Nine images fall under one seed alone: p = 0.004. With twenty rows of two seeds each that is no finding.
    for epsilon in range(1, 21):
        for seed, count in ((0, 0), (1, 9 if epsilon == 1 else 0)):
            add({"outcome": outcomes(count)}, seed=seed, images=IMAGES, epsilon=float(epsilon))
    found = [row for row, _ in measured(store, variants(store.cells()))]
    assert LEVEL / 20 < found[0]["across_seeds"]["p"] < LEVEL

    def of_seeds(some: list[Any]) -> int:
        return sum(finding["kind"] == "seeds" for finding in check(some))

    assert of_seeds(found) == 0
    assert of_seeds([row for row in found if row["epsilon"] == 1.0]) == 1
