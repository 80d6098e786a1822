"""The order in which worker processes get cells."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.running.best_of import BestOf
from benchmark.running.cell_queue import CellQueue


class Made:
    """Cells and targets by name, as far as the queue looks at them."""

    def __init__(self, **cells: list[str]) -> None:
        self.works: Any = [SimpleNamespace(target=SimpleNamespace(name=name)) for name in cells]
        self.queue = CellQueue(self.works)
        for work, keys in zip(self.works, cells.values(), strict=True):
            for key in keys:
                self.queue.add(self.cell(work, key))

    @staticmethod
    def cell(work: Any, key: str) -> Any:
        if key.startswith("best"):
            cell = BestOf.__new__(BestOf)
            members = tuple(SimpleNamespace(key=member) for member in key.removeprefix("best:").split("+"))
            for name, value in {"target": work.target, "members": members}.items():
                object.__setattr__(cell, name, value)
            return cell
        return SimpleNamespace(target=work.target, key=key)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BestOf, "key", "best")


@pytest.mark.usefixtures("keys")
def test_a_worker_stays_on_its_target_and_others_take_one_that_nobody_works_on():
    made = Made(a=["1", "2"], b=["3", "4", "5"])
    first = made.queue.take(None, [])
    assert first is not None
    assert first[1].key == "3"  # of the target with most left
    second = made.queue.take(None, [first[0]])
    assert second is not None
    assert second[1].key == "1"
    again = made.queue.take(second[0], [first[0]])
    assert again is not None
    assert again[1].key == "2"
    helped = made.queue.take(second[0], [first[0]])
    assert helped is not None
    assert helped[1].key == "4"  # its own has no more


@pytest.mark.usefixtures("keys")
def test_a_cell_that_was_put_off_comes_after_those_of_all_targets():
    made = Made(a=["1", "2"], b=["3"])
    first = made.queue.take(None, [])
    assert first is not None
    assert first[1].key == "1"
    made.queue.put_off.add("1")
    made.queue.add(first[1], first=True)
    assert [made.queue.take(first[0], [])[1].key for _ in range(3)] == ["2", "3", "1"]  # type: ignore[index]
    assert made.queue.take(first[0], []) is None


@pytest.mark.usefixtures("keys")
def test_the_best_of_some_waits_for_them():
    made = Made(a=["1", "2", "best:1+2"])
    assert [made.queue.take(None, [])[1].key for _ in range(2)] == ["1", "2"]  # type: ignore[index]
    made.queue.unfinished.discard("1")
    assert made.queue.take(None, []) is None
    made.queue.unfinished.discard("2")
    taken = made.queue.take(None, [])
    assert taken is not None
    assert isinstance(taken[1], BestOf)
