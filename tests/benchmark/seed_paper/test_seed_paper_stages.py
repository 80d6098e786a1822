"""Stages: computed once, in shards, and gone on with after whatever stopped them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.seed_paper.stages import Arrays, Done, Stages, Tick
from leaderboard import Store

IDENTITY = {"what": "squares", "seed": 0}


class Counted:
    """Squares of the items, remembering which were asked for."""

    def __init__(self, items: list[int], stop_at: int | None = None) -> None:
        self.items, self.stop_at = items, stop_at
        self.asked: list[list[int]] = []

    def __call__(self, positions: list[int], tick: Tick) -> Arrays:
        tick()
        chosen = [self.items[i] for i in positions]
        if self.stop_at in chosen:
            raise KeyboardInterrupt
        self.asked.append(chosen)
        return {"squares": np.array(chosen) ** 2, "twice": 2 * np.array(chosen)}


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    return Stages(Store.open(tmp_path / "results"), quiet=True)


def test_a_stopped_stage_loses_its_current_shard_and_goes_on_there(stages: Stages):
    items = [3, 1, 4, 15, 9, 2, 6]
    stopped = Counted(items, stop_at=9)
    with pytest.raises(KeyboardInterrupt):
        stages.sharded("squares", IDENTITY, items, 2, stopped)
    assert stopped.asked == [[3, 1], [4, 15]]
    rest = Counted(items)
    result = stages.sharded("squares", IDENTITY, items, 2, rest)
    assert rest.asked == [[9, 2], [6]]
    assert result["squares"].tolist() == [9, 1, 16, 225, 81, 4, 36]
    assert result["twice"].tolist() == [6, 2, 8, 30, 18, 4, 12]
    again = Counted(items)
    assert stages.sharded("squares", IDENTITY, items, 2, again)["squares"].tolist() == result["squares"].tolist()
    assert again.asked == []


@pytest.mark.parametrize("change", [{"seed": 1}, {"what": "cubes"}, {"more": True}])
def test_every_setting_is_part_of_the_key(stages: Stages, change: dict[str, object]):
    first, second = Counted([1, 2]), Counted([1, 2])
    stages.sharded("squares", IDENTITY, [1, 2], 2, first)
    stages.sharded("squares", {**IDENTITY, **change}, [1, 2], 2, second)
    assert second.asked == [[1, 2]]


def test_a_damaged_shard_is_computed_again(stages: Stages):
    stages.sharded("squares", IDENTITY, [1, 2], 1, Counted([1, 2]))
    damaged = sorted((stages.store.folder / "shared").glob("*.npz"))[0]
    damaged.write_bytes(b"no archive")
    again = Counted([1, 2])
    assert stages.sharded("squares", IDENTITY, [1, 2], 1, again)["squares"].tolist() == [1, 4]
    assert len(again.asked) == 1


def test_a_whole_stage_is_computed_once(stages: Stages):
    asked = []

    def compute(done: Done) -> Arrays:
        asked.append(1)
        for step in range(3):
            done(step + 1)
        return {"x": np.arange(3)}

    for _ in range(2):
        assert stages.whole("steps", IDENTITY, 3, "step", compute)["x"].tolist() == [0, 1, 2]
    assert asked == [1]


def test_without_a_terminal_a_stage_that_computed_says_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    loud = Stages(Store.open(tmp_path / "results"))
    loud.sharded("squares", IDENTITY, [1, 2], 1, Counted([1, 2]))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["squares: done (0 s)"]
    loud.sharded("squares", IDENTITY, [1, 2], 1, Counted([1, 2]))
    assert capsys.readouterr().err == ""
