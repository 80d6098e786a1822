"""The rooms agree on the names of access, which neither imports from the other."""

from __future__ import annotations

import attacks
from attacks import access as capabilities
from attacks.access import Access
from benchmark.seed_paper.adversarial import SHARD
from leaderboard.access import ACCESSES, CONTROL, STRONGER, ordered
from leaderboard.drawn.curve_picture import MARKERS
from leaderboard.drawn.drawing import COLOURS


def kinds() -> dict[str, type[Access]]:
    """Every class of `attacks.access` that has a name on the board, by that name."""
    found = [value for value in vars(capabilities).values() if isinstance(value, type) and issubclass(value, Access)]
    return {one.kind: one for one in found if "kind" in vars(one)}


def test_the_board_knows_the_access_of_every_attack_and_no_other():
    assert set(ACCESSES) == set(kinds())
    assert len(set(ACCESSES)) == len(ACCESSES)
    assert {attacks.ATTACKS[name].access.kind for name in attacks.ATTACKS} <= set(ACCESSES)


def test_the_seed_paper_s_experiment_knows_them_too():
    assert set(SHARD) == set(ACCESSES)


def test_tables_and_pictures_know_each_of_them():
    assert set(STRONGER) == set(COLOURS) == set(ACCESSES)
    assert set(MARKERS) == set(ACCESSES) - {CONTROL}
    assert ordered(["telepathy", *reversed(ACCESSES)]) == [*ACCESSES, "telepathy"]


def test_who_can_do_more_can_do_all_that_the_weaker_can():
    for weak, strong in STRONGER.items():
        assert weak not in strong
        assert set(strong) <= set(ACCESSES)
        for more in strong:
            assert set(STRONGER[more]) <= set(strong)
