from __future__ import annotations

import pytest

from leaderboard import rows
from leaderboard.variants import outdated


@pytest.mark.parametrize("of", [((), ()), ((4,), (6,))], ids=["of versions that did not say", "as asked for"])
def test_another_image_set_is_another_row(store, add, of):
    for attack in ("clean", "margin"):
        add({"outcome": -1}, attack=attack, images=[0, 3, 6, 9], of=of[0])
    add({"outcome": [0, -1, 4, 6, 8, 1]}, attack="margin", images=[0, 2, 4, 6, 8, 11], of=of[1])
    found = [(row["attack"], row["of_images"], row["images"], row["status"], row["rank"]) for row in rows(store)]
    assert found == [("clean", 4, 4, "ok", 1), ("margin", 4, 4, "ok", 2), ("margin", 6, 6, "ok", 1)]
    assert [row["abstention_rate"] for row in rows(store)] == [1.0, 1.0, pytest.approx(1 / 6)]


def test_a_shard_counts_in_every_set_that_it_is_a_shard_of(store, add):
    first, second = [0, 2, 4], [1, 3, 5]
    for attack in ("clean", "margin"):
        add({"outcome": -1}, attack=attack, images=first, of=[3])
    add({}, attack="margin", images=second, of=[6])
    add({}, attack="nes", images=first, of=[6])
    add({"outcome": -1}, attack="nes", images=second, of=[6])
    found = {(row["attack"], row["of_images"]): (row["abstention_rate"], row["status"]) for row in rows(store)}
    assert found == {
        ("clean", 3): (1.0, "ok"),  # and not in the set of six, of which it was never asked for and is a part
        ("margin", 3): (1.0, "ok"),
        ("margin", 6): (0.5, "ok"),
        ("nes", 3): (0.0, "ok"),
        ("nes", 6): (0.5, "ok"),
    }


def test_other_images_in_as_large_a_set_replace_the_older_ones(store, add):
    add({"outcome": -1}, images=[0, 1, 2, 3])
    add({"outcome": [2, 3, 4, 5]}, images=[2, 3, 4, 5])
    [row] = rows(store)
    assert (row["images"], row["abstention_rate"], row["superseded_cells"]) == (4, 0.0, 1)


def test_shards_cut_otherwise_count_an_image_once(store, add):
    add({"outcome": -1}, images=[0, 1, 2, 3])
    add({"outcome": [0, 2]}, images=[0, 2])
    add({"outcome": [1, -1]}, images=[1, 3])
    [row] = rows(store)
    assert (row["images"], row["abstention_rate"], row["superseded_cells"]) == (4, 0.25, 0)


@pytest.mark.parametrize(
    "change",
    [{"parameters": {"steps": 20}}, {"version": 2}, {"weights": "def"}],
    ids=lambda change: next(iter(change)),
)
def test_the_newest_variant_counts_alone(store, add, change):
    add({"outcome": -1}, images=[0, 2])
    add({"outcome": -1}, images=[1])
    add({}, images=[0, 1, 2], of=[3], **change)
    [row] = rows(store)
    assert (row["abstention_rate"], row["images"], row["superseded_cells"]) == (0.0, 3, 2)


def of(images: str, labels: str = "l", **more: str) -> dict[str, dict[str, str]]:
    """The setting of a cell on a data set that does not check itself."""
    return {"content": {"images": images, "labels": labels, **more}}


@pytest.mark.parametrize("now", [of("new"), of("old", "corrected")], ids=["images", "labels"])
def test_no_row_of_earlier_images_or_labels_stands_beside_newer_ones(store, add, now):
    """Though it is another attack's, and nothing of its own replaces it."""
    add(attack="before", data="mine")  # a version that knew of no digests
    add(attack="clean", data="mine", **of("old"))
    add(attack="clean", data="built-in")
    add(attack="margin", data="mine", **now)
    assert sorted((row["attack"], row["data"]) for row in rows(store)) == [("clean", "built-in"), ("margin", "mine")]
    assert [cell.settings["attack"] for cell in outdated(store.cells())] == ["before", "clean"]
    add(attack="clean", data="mine", target="other", **now)
    add(attack="transfer", data="mine", content={**now["content"], "adversary": "a"})
    assert sum(row["data"] == "mine" for row in rows(store)) == 3


def test_what_the_adversary_had_is_a_variant_of_its_row_alone(store, add):
    add({"outcome": -1}, attack="transfer", data="mine", **of("i", adversary="old"))
    add(attack="clean", data="mine", **of("i"))
    add(attack="transfer", data="mine", **of("i", adversary="new"))
    found = {row["attack"]: (row["abstention_rate"], row["superseded_cells"]) for row in rows(store)}
    assert found == {"transfer": (0.0, 1), "clean": (0.0, 0)}
    assert outdated(store.cells()) == []


def test_a_new_description_is_no_new_variant(store, add):
    add(images=[0, 1])
    add(images=[2, 3], description="Said better.")
    [row] = rows(store)
    assert (row["images"], row["description"]) == (4, "Said better.")


def test_shards_of_best_of_have_members_of_their_own(store, add):
    add(attack="best-of score", images=[0, 1], members=["a", "b"])
    add(attack="best-of score", images=[2, 3], members=["c", "d"])
    [row] = rows(store)
    assert (row["images"], row["superseded_cells"]) == (4, 0)


def test_best_of_more_attacks_counts_before_a_newer_one_of_fewer(store, add):
    add({"outcome": -1}, attack="best-of score", members=["a", "b", "c"], parameters={"attacks": "nes, square, zoo"})
    add(attack="best-of score", members=["a", "b"], parameters={"attacks": "nes, square"})
    [row] = rows(store)
    assert (row["parameters"], row["superseded_cells"]) == ({"attacks": "nes, square, zoo"}, 1)


def test_a_failed_shard_that_ran_later_in_other_shards_is_forgotten(store, add, fail):
    fail(images=[0, 1, 2, 3])
    add(images=[0, 1])
    add(images=[2, 3])
    [row] = rows(store)
    assert (row["status"], row["images"]) == ("ok", 4)


def test_a_run_that_was_stopped_has_partial_rows(store, add):
    add(images=[0, 2], of=[4])
    [row] = rows(store)
    assert (row["status"], row["images"], row["of_images"], row["rank"]) == ("partial", 2, 4, 1)
