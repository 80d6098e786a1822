"""How n buys availability, on records that are made up."""

from __future__ import annotations

import json

from leaderboard import Store, publish
from leaderboard.availability import standings
from leaderboard.availability_by_n import ByN, by_n
from leaderboard.board import measured
from leaderboard.drawn.by_n_picture import svg
from leaderboard.drawn.by_n_table import section
from leaderboard.statistics import clopper_pearson
from leaderboard.variants import variants

ABSTAIN = -1


def found(store: Store) -> list[ByN]:
    return by_n(standings(measured(store, variants(store.cells()))))


def test_points_are_by_growing_n_of_what_every_attack_leaves(store, add):
    for n, margin in ((1000, [0, 1, 2, ABSTAIN]), (100, [0, ABSTAIN, ABSTAIN, ABSTAIN])):
        add({"outcome": [0, 1, 2, 3]}, images=[0, 1, 2, 3], attack="clean", access="none", n=n)
        proven = {"ceiling": [0.5] * 4, "certified_label": [0, 1, 9, 9]}
        add({"outcome": margin, **proven}, images=[0, 1, 2, 3], attack="margin", n=n)
    [series] = found(store)
    assert (series["images"], series["attacks"]) == (4, 2)
    low, high = series["points"]
    assert (low["n"], high["n"]) == (100, 1000)
    assert (low["clean_right"]["rate"], low["right"]["rate"], high["right"]["rate"]) == (1.0, 0.25, 0.75)
    assert (high["answered"]["low"], high["answered"]["high"]) == clopper_pearson(3, 4)
    assert (high["certified_answered"], high["certified_right"]) == (0.5, 0.25)


def test_one_n_is_no_series_and_one_that_lacks_an_attack_is_no_point(store, add):
    add({"outcome": [0, 1]}, images=[0, 1], attack="margin", n=100)
    assert found(store) == []
    add({"outcome": [0, 1]}, images=[0, 1], attack="margin", n=1000)
    assert [len(one["points"]) for one in found(store)] == [2]
    add({"outcome": [0, 1]}, images=[0, 1], attack="apgd", n=1000)  # which n = 100 lacks
    assert found(store) == []
    assert (svg([]), section([], "x.svg")) == (None, [])


def test_the_board_has_table_picture_and_json(store, add, tmp_path):
    for n in (100, 1000, 10_000):
        add({"outcome": [0, ABSTAIN]}, images=[0, 1], attack="margin", n=n)
    publish(
        store, tmp_path / "b", commit="c", version="v", created="2026-01-01T00:00:00+00:00", command=lambda asked: "run"
    )
    content = json.loads((tmp_path / "b" / "leaderboard.json").read_text(encoding="utf-8"))
    assert content["availability_by_n"] == found(store)
    picture = (tmp_path / "b" / "availability-n.svg").read_text(encoding="utf-8")
    assert picture.count(">10,000<") == 1
    page = (tmp_path / "b" / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "| 10,000 | 100.0% [15.8, 100.0] |" in page.partition("## How n buys availability")[2]
    assert "How n buys availability" in (tmp_path / "b" / "index.html").read_text(encoding="utf-8")
