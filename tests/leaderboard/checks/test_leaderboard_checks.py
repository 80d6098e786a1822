"""The check of the attacks on made-up rows, whose findings are known."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import numpy as np
import pytest

from leaderboard import publish
from leaderboard.access import STRONGER
from leaderboard.checks import check
from leaderboard.checks.comparisons import LEVEL
from leaderboard.drawn.check_tables import MOST, lines
from leaderboard.statistics import clopper_pearson, mcnemar

ATTACKS = {
    "clean": "none",
    "gaussian": "none",
    "margin": "white-box",
    "nes": "score",
    "level-set": "decision",
    "same-data-hybrid": "hybrid",
    "same-data-transfer": "transfer",
}


def row(attack: str = "margin", hits: int = 30, images: int = 50, clean: int = 2, **values: Any) -> Any:
    """A row on which PREDICT abstains for ``hits`` images, ``clean`` of them unattacked too."""
    plain = {
        "suite": "toy",
        "target": "toy-sigma0.50",
        "attack": attack,
        "access": ATTACKS.get(attack, "white-box"),
        "epsilon": 1.0,
        "query_budget": None,
        "n": 1000,
        "alpha": 0.001,
        "seed": 0,
        "images": images,
        "of_images": images,
        "status": "ok",
        "abstention_rate": hits / images,
        "abstention_low": clopper_pearson(hits, images)[0],
        "abstention_high": clopper_pearson(hits, images)[1],
        "clean_abstention_rate": clean / images,
        "mcnemar_p": mcnemar(max(hits - clean, 0), max(clean - hits, 0)),
        "ceiling": 0.9,
        "valid_rate": 1.0,
        "changed": 0 if attack == "clean" else images,
    }
    return plain | values


def board(**hits: int) -> list[Any]:
    """A row of each attack, with the controls at two images and the others at thirty unless ``hits`` says otherwise."""
    found = {name: 2 if access == "none" else 30 for name, access in ATTACKS.items()}
    found |= {name.replace("_", "-"): count for name, count in hits.items()}
    return [row(name, count) for name, count in found.items()]


def kinds(rows: list[Any]) -> list[str]:
    return [finding["kind"] for finding in check(rows)]


def seen(gradients: int, zero: int, blind: int, broken: int = 0, asked: int = 50) -> dict[str, int]:
    found = {"gradients": gradients, "zero_gradients": zero, "broken_gradients": broken}
    return found | {"images_asked": asked, "images_blind": blind}


def test_a_healthy_board_has_no_finding():
    larger = [dict(row(attack, 34, epsilon=2.0)) for attack in ATTACKS if ATTACKS[attack] != "none"]
    assert check([*board(), *larger]) == []
    assert lines([]) == "Check of the attacks: nothing found."


def test_zero_gradients_are_told_once_a_target_with_what_came_of_them():
    rows = [row(name, 2, changed=0, observed=seen(600, 600, 50)) for name in ("cw", "margin")]
    rows.append(row("tv", 40, observed=seen(600, 3, 1)))
    [found] = check(rows)
    assert (found["kind"], found["severity"], found["attacks"]) == ("gradients", "warning", ["cw", "margin"])
    assert found["places"] == [{"target": "toy-sigma0.50", "epsilon": 1.0}]
    assert found["text"] == (
        "toy-sigma0.50 gives no gradient to follow at 100 of 100 images of cw, margin (gradients: 1,200 of 1,200 zero);"
        " they left 100 of 100 unchanged"
    )


@pytest.mark.parametrize(
    ("observed", "is_finding"),
    [
        (seen(600, 600, 50), True),
        (seen(600, 40, 7), True),  # five more than abstain unattacked: a tenth of fifty
        (seen(600, 40, 6), False),
        (seen(600, 300, 2), False),  # many zeros, but once the images are where they were to go
        (seen(12, 12, 1, asked=1), False),  # one of the two that abstain unattacked
        (seen(600, 0, 0, broken=6), True),
        (seen(600, 0, 0, broken=5), False),
        ({}, False),
        ({"gradients": 5}, False),
    ],
)
def test_how_many_images_without_a_gradient_are_a_finding(observed, is_finding):
    assert kinds([row(observed=observed)]) == ["gradients"] * is_finding


def test_a_single_image_without_a_gradient_is_told():
    assert kinds([row("margin", 0, 1, 0, observed=seen(9, 9, 1, asked=1))]) == ["gradients"]


def test_the_order_of_accesses_is_one():
    for weak, stronger in STRONGER.items():
        assert weak not in stronger
        for access in stronger:
            assert set(STRONGER.get(access, ())) < set(stronger), "what is above the stronger is above the weaker"


ABOVE = [
    ("nes", "margin"),
    ("level-set", "margin"),
    ("same-data-hybrid", "margin"),
    ("same-data-transfer", "margin"),
    ("level-set", "nes"),
    ("level-set", "same-data-hybrid"),
    ("same-data-transfer", "same-data-hybrid"),
    ("gaussian", "same-data-transfer"),
]


@pytest.mark.parametrize("weak", ATTACKS)
@pytest.mark.parametrize("strong", ATTACKS)
def test_a_weaker_access_above_a_stronger_one(weak, strong):
    # Of as many images as leave no doubt, and no other finding.
    rows = [row(weak, 45, clean=1, ceiling=1.0), row(strong, 12, clean=1, ceiling=1.0)]
    expected = (weak, strong) in ABOVE or (ATTACKS[weak] == "none" != ATTACKS[strong])
    found = [finding for finding in check(rows) if finding["kind"] == "access"]
    assert len(found) == expected
    if expected:
        [finding] = found
        assert finding["severity"] == "warning"
        who = "a control" if ATTACKS[weak] == "none" else f"{ATTACKS[weak]} access"
        assert finding["text"] == (
            f"toy-sigma0.50: {who} finds more than {ATTACKS[strong]} access at ε = 1.0: 45 of 50"
            f" images abstain under {weak}, 12 under {strong}, the best of the stronger"
        )


def test_the_best_of_the_stronger_access_counts_and_all_weaker_ones_are_told_together():
    rows = [row("nes", 40), row("level-set", 35), row("margin", 3), row("cw", 1)]
    rows += [row("nes", 30, epsilon=0.5), row("margin", 2, epsilon=0.5)]
    [found] = [finding for finding in check(rows) if finding["kind"] == "access"]
    assert found["text"].endswith(
        "40 of 50 images abstain under nes, 3 under margin, the best of the stronger; so does decision access; "
        "also ε = 0.5"
    )
    rows.append(row("fmn", 45))
    assert [f["places"] for f in check(rows) if f["kind"] == "access"] == [
        [{"target": "toy-sigma0.50", "epsilon": 0.5}]
    ]


def test_accesses_are_compared_at_no_fewer_queries_of_the_stronger():
    weak, strong = row("level-set", 45, query_budget=100), row("nes", 10, query_budget=30)
    assert "access" not in kinds([weak, strong])
    assert "access" in kinds([weak | {"query_budget": 30}, strong])
    assert "access" in kinds([weak, row("margin", 10)])  # who has the weights needs no query
    transfer, hybrid = row("same-data-transfer", 45), row("same-data-hybrid", 10, query_budget=10)
    assert "access" in kinds([transfer, hybrid])


@pytest.mark.parametrize(("other", "is_finding"), [(30, False), (24, False), (19, False), (10, True)])
def test_what_sampling_allows_is_no_finding(other, is_finding):
    assert ("access" in kinds(board(nes=30, margin=other))) == is_finding


def test_a_larger_epsilon_or_budget_that_finds_less():
    rows = [row("cw", hits, epsilon=epsilon) for hits, epsilon in ((45, 0.5), (44, 1.0), (15, 2.0))]
    [found] = check(rows)
    assert (found["kind"], found["severity"]) == ("epsilon", "warning")
    assert found["text"] == (
        "cw on toy-sigma0.50: a larger ε finds less: 45 of 50 images abstain under cw at ε = 0.5, 15 under cw at"
        " ε = 2.0"
    )
    assert [place["epsilon"] for place in found["places"]] == [0.5, 1.0, 2.0]
    rows = [row("nes", hits, query_budget=budget) for hits, budget in ((40, 10), (12, None))]
    [found] = check(rows)
    assert found["kind"] == "queries"
    assert "a larger query budget finds less: 40 of 50 images abstain under nes (≤ 10 queries) at" in found["text"]
    assert check([row("gaussian", 40, epsilon=0.5), row("gaussian", 0)]) == []  # a random direction promises nothing
    other = [row("cw", 45, epsilon=0.5), row("cw", 15, target="other")]
    assert check(other) == []
    assert check([row("cw", 45, epsilon=0.5), row("cw", 15, status="partial")]) == []
    assert check([row("cw", 45, epsilon=0.5), row("cw", 15, n=10_000)]) == []


def test_unchanged_images_are_told_where_the_ceiling_leaves_room():
    still = row("tv-transfer", 2, access="transfer", changed=2)
    [found] = check([still])
    assert (found["kind"], found["severity"]) == ("unchanged", "note")
    assert found["text"] == "tv-transfer left 48 of 50 images unchanged on toy-sigma0.50"
    assert check([still | {"observed": seen(600, 250, 1)}])[0]["text"].endswith(" (gradients: 250 of 600 zero)")
    assert check([still | {"ceiling": 0.2}]) == []
    assert kinds([still | {"changed": 5}]) == ["controls"]
    assert kinds([still | {"valid_rate": 0.1, "changed": 0}]) == ["controls"]  # what breaks the rule is no original
    assert check([row("clean", 2)]) == []
    assert check([still | {"attack": "best-of transfer"}]) == []


def idle(target: str, epsilon: float = 1.0, hits: int = 3, **values: Any) -> list[Any]:
    place = {"target": target, "epsilon": epsilon}
    return [row("gaussian", 4, **place), row("tv-transfer", hits, **{"access": "transfer", **place, **values})]


def test_an_attack_that_the_controls_equal_is_one_note():
    [found] = check([*idle("one"), *idle("one", 0.5), *idle("two"), *idle("three", hits=30)])
    assert (found["kind"], found["severity"]) == ("controls", "note")
    assert found["text"] == (
        "tv-transfer does not stand out from the controls on 2 of 3 targets: 9 of 150 images abstain, 12 with a"
        " control; the ceilings allow 135"
    )
    assert {place["target"] for place in found["places"]} == {"one", "two"}
    assert "on one: 3 of 50" in check(idle("one"))[0]["text"]


def test_no_note_of_an_attack_that_does_something_or_has_no_room_or_few_images():
    assert check(idle("one", hits=30)) == []
    assert check([*idle("one"), *idle("one", 2.0, hits=30)]) == []  # it works where ε is large
    assert check(idle("one", ceiling=0.25)) == []
    few = {"images": 6, "clean": 0}
    assert check([row("tv-transfer", 0, access="transfer", **few)]) == []
    assert check([row("nes", 2, query_budget=10), row("nes", 30, query_budget=100)]) == []  # of its largest budget


def test_boards_with_nothing_wrong_show_warnings_by_chance_within_the_level():
    random, boards, flagged = np.random.default_rng(0), 60, 0
    places = list(product(("a", "b"), (0.5, 1.0)))
    for _ in range(boards):
        rows = [
            row(attack, int(random.binomial(50, 0.5)), target=target, epsilon=epsilon)
            for target, epsilon in places
            for attack in ATTACKS
        ]
        flagged += any(finding["severity"] == "warning" for finding in check(rows))
    assert flagged <= 2 * LEVEL * boards  # of two kinds that can occur here


def test_warnings_come_first_and_the_terminal_shows_a_few():
    rows = [row(f"tv-{letter}", 2, access="transfer") for letter in "abcdefgh"]
    rows.append(row("margin", 2, observed=seen(600, 600, 50)))
    found = check(rows)
    assert [finding["kind"] for finding in found] == ["gradients", *["controls"] * 8]
    shown = lines(found).splitlines()
    assert shown[0] == "Check of the attacks:"
    assert shown[1].startswith("  warning: toy-sigma0.50 gives no gradient")
    assert len(shown) == MOST + 2 == 8
    assert shown[-1] == "  3 more on the page."


def publish_page(store, output) -> tuple[str, Any]:
    page, data, *_ = publish(
        store, output, commit="abc", version="0.1", created="2024-01-01T00:00:00Z", command=lambda asked: "run"
    )
    return page.read_text(encoding="utf-8"), json.loads(data.read_text(encoding="utf-8"))


def test_the_page_and_the_json_have_them(store, add, tmp_path):
    add({"ceiling": 0.9}, observed=seen(60, 60, 10, asked=10), attack="odd|name")
    add({"outcome": -1, "changed": True, "l2": 0.5, "ceiling": 0.9}, attack="nes", access="score")
    page, content = publish_page(store, tmp_path)
    assert content["schema_version"] == 4
    assert content["checks"] == check(content["rows"])
    assert [finding["kind"] for finding in content["checks"]] == ["gradients", "access"]
    assert content["rows"][1]["observed"]["images_blind"] == 10
    assert "observed" not in content["rows"][0]
    assert "**2 warnings about these attacks: see [Check of the attacks](#check-of-the-attacks).**" in page
    section = page.split("\n## Check of the attacks\n")[1].split("\n## ")[0]
    assert "| **warning** | toy-sigma0.50 gives no gradient to follow at 10 of 10 images of odd\\|name" in section


def test_a_page_without_findings_says_so(store, add, tmp_path):
    add({"outcome": -1, "changed": True, "l2": 0.5})
    page, content = publish_page(store, tmp_path)
    assert content["checks"] == []
    assert "warnings about" not in page
    assert "Nothing found." in page.split("\n## Check of the attacks\n")[1].split("\n## ")[0]
