from __future__ import annotations

from leaderboard.audit import audit
from leaderboard.statistics import sum_quantile

FLIPPED = {"outcome": [9, 9, -1, 3, 4, 5, 6, 7, 8, 9], "certified_radius": 0.5}  # 0 and 1 flip, 2 abstains


def test_the_audit_counts_every_cell_that_ran(store, add, fail):
    add(FLIPPED | {"l2": [0.1, 0.6] + [0.1] * 8, "changed": True})  # image 1 was sent from beyond its radius
    add(version=2)  # replaces it on the board, not here
    add(suite="another", alpha=0.01, seed=1)
    add({"certified_label": -1}, target="uncertain")
    fail(attack="broken")
    found = audit(store, store.cells())
    assert (found["cells"], found["images"]) == (4, 40)
    assert (found["certified_answers"], found["inside_radius"], found["flips_inside_radius"]) == (30, 29, 1)
    assert found["certificates"] == 20  # the first two cells share theirs
    assert found["flips_allowed"] == sum_quantile(0.999, {0.002: 19, 0.02: 10})
    toy, uncertain = found["targets"]
    assert (toy["target"], toy["images"], toy["flips_inside_radius"]) == ("toy-sigma0.50", 30, 1)
    assert uncertain == {
        "target": "uncertain",
        "images": 10,
        "certified_answers": 0,
        "inside_radius": 0,
        "flips_inside_radius": 0,
        "flips_allowed": 0,
    }


def test_the_audit_of_nothing(store):
    assert audit(store, [])["images"] == 0
