"""The cells that worker processes still have to run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmark.cell import Cell
from benchmark.running.best_of import BestOf
from benchmark.running.work import Work


@dataclass
class CellQueue:
    """Cells by target, in the order in which they are to be run.

    Attributes:
        works: the targets' work, in the suite's order.
        waiting: cells that no worker has begun, by target name.
        unfinished: keys of all cells that are not done, begun ones included.
    """

    works: Sequence[Work]
    waiting: dict[str, deque[Cell]] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)

    def add(self, cell: Cell, first: bool = False) -> None:
        """Put a cell behind the others of its target, or before them."""
        cells = self.waiting.setdefault(cell.target.name, deque())
        cells.appendleft(cell) if first else cells.append(cell)
        self.unfinished.add(cell.key)

    def take(self, last: Work | None, busy: Sequence[Work]) -> tuple[Work, Cell] | None:
        """A cell for a worker; None where none can be begun now. A best-of cell waits for its members.

        A worker stays on its last target while that has cells. Then it goes to a target that no worker is on, and of
        several to the one with the most cells.

        Args:
            last: what the worker did last.
            busy: what other workers are doing.
        """

        def order(work: Work) -> tuple[bool, bool, int]:
            return work is not last, work in busy, -len(self.waiting.get(work.target.name, ()))

        for work in sorted(self.works, key=order):
            if (cell := self.take_of(work)) is not None:
                return work, cell
        return None

    def take_of(self, work: Work) -> Cell | None:
        """A cell of a target; None where none can be begun now."""
        cells = self.waiting.get(work.target.name, deque())
        for cell in cells:
            if not (isinstance(cell, BestOf) and any(member.key in self.unfinished for member in cell.members)):
                cells.remove(cell)
                return cell
        return None

    def count_waiting(self) -> int:
        """How many cells no worker has begun."""
        return sum(map(len, self.waiting.values()))
