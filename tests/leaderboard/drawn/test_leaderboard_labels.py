from __future__ import annotations

from leaderboard.drawn.labels import apart


def test_labels_move_as_little_as_keeps_themapart_and_inside():
    assert apart([], 0, 100) == []
    assert apart([10, 50], 0, 100) == [10, 50]
    assert apart([50, 50, 52], 0, 100) == [50, 63.5, 77]
    assert apart([-5, 98, 99], 0, 100) == [0, 86.5, 100]
