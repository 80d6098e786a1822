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
        put_off: keys of cells that were begun, and came back since another process was computing what they need.
    """

    works: Sequence[Work]
    waiting: dict[str, deque[Cell]] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    put_off: set[str] = field(default_factory=set)

    def add(self, cell: Cell, first: bool = False) -> None:
        """Put a cell behind the others of its target, or before them."""
        cells = self.waiting.setdefault(cell.target.name, deque())
        cells.appendleft(cell) if first else cells.append(cell)
        self.unfinished.add(cell.key)

    def take(self, last: Work | None, busy: Sequence[Work]) -> tuple[Work, Cell] | None:
        """A cell for a worker; None where none can be begun now. A best-of cell waits for its members.

        A worker stays on its last target while that has cells. Then it goes to a target that no worker is on, and of
        several to the one with the most cells. Cells that were put off come after those of all targets.

        Args:
            last: what the worker did last.
            busy: what other workers are doing.
        """

        def order(work: Work) -> tuple[bool, bool, int]:
            return work is not last, work in busy, -len(self.waiting.get(work.target.name, ()))

        ordered = sorted(self.works, key=order)
        for put_off in (False, True):
            for work in ordered:
                if (cell := self.take_of(work, put_off)) is not None:
                    return work, cell
        return None

    def take_of(self, work: Work, put_off: bool = False) -> Cell | None:
        """A cell of a target, of those that were put off or of the others; None where none can be begun now."""
        cells = self.waiting.get(work.target.name, deque())
        for cell in cells:
            waits = isinstance(cell, BestOf) and any(member.key in self.unfinished for member in cell.members)
            if (cell.key in self.put_off) is put_off and not waits:
                cells.remove(cell)
                return cell
        return None

    def count_waiting(self) -> int:
        """How many cells no worker has begun."""
        return sum(map(len, self.waiting.values()))
