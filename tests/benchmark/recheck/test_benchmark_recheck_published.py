"""The committed boards pass `verify`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.recheck.verification import verify

PUBLISHED = Path(__file__).parents[3] / "leaderboard" / "published"
BOARDS = sorted(path.parent for path in PUBLISHED.rglob("leaderboard.json"))


def test_there_are_some():
    assert len(BOARDS) >= 5


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_committed_board_is_verified(board: Path):
    clauses = list(verify(board))
    assert [str(clause) for clause in clauses if clause.verdict == "FAIL"] == []
    assert {"settings", "plausibility", "rows", "curves", "board.svg", "LEADERBOARD.md"} <= {
        one.name for one in clauses
    }
