"""Progress on standard error: two bars on a terminal; elsewhere a line for each cell, and some for long shared work."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.cell import Cell

NOT_RUN = ("stored", "left out")
"""States of cells that took no time."""


class Quiet:
    """Prints nothing."""

    workers = 1

    def start(self, cell: Cell, position: int) -> None: ...

    def tick(self) -> None: ...

    def stage(self, what: str, unit: str, done: int, total: int) -> None: ...

    def finish(
        self, cell: Cell, seconds: float, status: str, abstention_rate: float | None = None, broken: str = ""
    ) -> None: ...

    def close(self) -> None: ...


class Forecast:
    """Predicts seconds from the same attack's earlier cells. An attack without any counts as the average of the others.

    Args:
        total: number of cells in the run.
    """

    def __init__(self, total: int, attacks: list[str]) -> None:
        self.left = {name: total / max(1, len(attacks)) for name in attacks}
        self.cells = total
        self._seen: dict[str, list[float]] = defaultdict(list)

    def add(self, attack: str, seconds: float | None) -> None:
        """Count one cell of ``attack``, done in ``seconds``; None if it was not run."""
        self.cells = max(0, self.cells - 1)
        self.left[attack] = max(0.0, self.left.get(attack, 0.0) - 1)
        if seconds is not None:
            self._seen[attack].append(seconds)

    def cell(self, attack: str) -> float | None:
        """Expected seconds of one cell, or None before any is known."""
        times = self._seen.get(attack) or [s for seen in self._seen.values() for s in seen]
        return sum(times) / len(times) if times else None

    def remaining(self, workers: int = 1) -> float | None:
        """Expected seconds until the remaining cells are done, ``workers`` at a time; None before any is known."""
        expected = {name: self.cell(name) for name in self.left}
        if any(seconds is None for seconds in expected.values()):
            return None
        # An attack may have more or fewer cells than its equal share: of several query budgets, or best-of cells.
        scale = self.cells / max(sum(self.left.values()), 1e-9)
        return scale / workers * sum(self.left[name] * (seconds or 0.0) for name, seconds in expected.items())


def clock(seconds: float | None) -> str:
    """Seconds for people: "8 s", "3:05", "1:02:03"."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Stage:
    """Work that cells share: how far it is, and the time left at its pace since it began or was resumed."""

    def __init__(self, what: str, unit: str, done: int, total: int) -> None:
        self.what, self.unit, self.done, self.total = what, unit, done, total
        self._held, self._begun = done, time.monotonic()

    def goes_on(self, what: str, done: int) -> bool:
        """Whether a report is of this work, at the same point or later."""
        return what == self.what and done >= self.done

    def text(self) -> str:
        """For example "ceilings: 120 of 1,000 images, 3:05 left"."""
        return f"{self.what}: {self.done:,} of {self.total:,} {self.unit}, {clock(self._left())} left"

    def _left(self) -> float | None:
        new = self.done - self._held
        return (time.monotonic() - self._begun) / new * (self.total - self.done) if new else None


class Lines:
    """One line for each finished cell, and one every ten seconds during long work that cells share."""

    SMALLEST_WAIT = 10.0
    workers = 1

    def __init__(self, total: int, attacks: list[str]) -> None:
        self.total = total
        self.forecast = Forecast(total, attacks)
        self.position = 0
        self.cell: Cell | None = None
        self.current: Stage | None = None
        self.said = time.monotonic()

    def start(self, cell: Cell, position: int) -> None:
        self.position, self.cell, self.current = position, cell, None

    def tick(self) -> None: ...

    def stage(self, what: str, unit: str, done: int, total: int) -> None:
        if self.current is None or not self.current.goes_on(what, done):
            self.current = Stage(what, unit, done, total)
        self.current.done = done
        if done < total and self.cell is not None and time.monotonic() - self.said >= self.SMALLEST_WAIT:
            self._say(f"{describe(self.cell)}: {self.current.text()}")

    def finish(
        self, cell: Cell, seconds: float, status: str, abstention_rate: float | None = None, broken: str = ""
    ) -> None:
        self.forecast.add(cell.attack_name, None if status in NOT_RUN else seconds)
        if status in NOT_RUN:
            return
        rate = "" if abstention_rate is None else f", abstention {abstention_rate:.1%}"
        if broken:
            rate += f" ({broken}; originals sent)"
        left = clock(self.forecast.remaining(self.workers))
        self._say(f"{describe(cell)}: {status}{rate} ({seconds:.1f} s; {left} left)")

    def _say(self, text: str) -> None:
        self.said = time.monotonic()
        print(f"[{self.position}/{self.total}] {text}", file=sys.stderr, flush=True)

    def close(self) -> None: ...


class Stages(Lines):
    """A worker process's lines: only of long shared work. The run that started it reports the cells."""

    def __init__(self) -> None:
        super().__init__(0, [])

    def finish(
        self, cell: Cell, seconds: float, status: str, abstention_rate: float | None = None, broken: str = ""
    ) -> None: ...

    def _say(self, text: str) -> None:
        self.said = time.monotonic()
        print(text, file=sys.stderr, flush=True)


class Bars:
    """An overall bar and one for the current cell, both with the time left."""

    SMALLEST_WAIT = 0.1
    workers = 1

    def __init__(self, total: int, attacks: list[str]) -> None:
        from tqdm import tqdm

        self.forecast = Forecast(total, attacks)
        style: dict[str, Any] = {"file": sys.stderr, "dynamic_ncols": True, "leave": False, "postfix": [""]}
        self.overall = tqdm(
            total=total,
            position=0,
            unit="cell",
            bar_format="{desc} {bar} {n_fmt}/{total_fmt} cells, {postfix[0]}",
            **style,
        )
        self.overall.set_description_str("all cells")
        self.current = tqdm(total=100, position=1, bar_format="{desc} {bar} {postfix[0]}", **style)
        self.begun = self.drawn = time.monotonic()
        self.expected: float | None = None
        self.shared: Stage | None = None

    def start(self, cell: Cell, position: int) -> None:
        self.begun = time.monotonic()
        self.expected = self.forecast.cell(cell.attack_name)
        self.current.set_description_str(describe(cell), refresh=False)
        self.shared = None
        self._draw()

    def stage(self, what: str, unit: str, done: int, total: int) -> None:
        if self.shared is None or not self.shared.goes_on(what, done):
            self.shared = Stage(what, unit, done, total)
        self.shared.done = done
        self._draw()

    def tick(self) -> None:
        if time.monotonic() - self.drawn >= self.SMALLEST_WAIT:
            self._draw()

    def finish(
        self, cell: Cell, seconds: float, status: str, abstention_rate: float | None = None, broken: str = ""
    ) -> None:
        self.forecast.add(cell.attack_name, None if status in NOT_RUN else seconds)
        if status == "failed":
            self.overall.write(f"{describe(cell)}: failed", file=sys.stderr)
        self.overall.update(1)
        self._draw()

    def _draw(self) -> None:
        self.drawn = time.monotonic()
        elapsed = self.drawn - self.begun
        if self.shared is not None and self.shared.done < self.shared.total:
            self.current.n = 100 * self.shared.done // self.shared.total
            self.current.postfix = [self.shared.text()]
        else:
            left = None if self.expected is None else max(0.0, self.expected - elapsed)
            self.current.n = 0 if self.expected is None else min(99, round(100 * elapsed / max(self.expected, 1e-9)))
            self.current.postfix = [f"{clock(elapsed)} so far, {clock(left)} left"]
        self.current.refresh()
        self.overall.postfix = [f"{clock(self.forecast.remaining(self.workers))} left"]
        self.overall.refresh()

    def close(self) -> None:
        self.current.close()
        self.overall.close()


def describe(cell: Cell) -> str:
    """The cell in a few words."""
    budget = "" if cell.query_budget is None else f" × ≤ {cell.query_budget:,} queries"
    return f"{cell.target.name} × {cell.attack_name} × ε {cell.epsilon:g}{budget}"


def reporter(total: int, attacks: list[str], quiet: bool) -> Quiet | Lines | Bars:
    """Bars on a terminal, lines elsewhere, nothing where ``quiet``."""
    if quiet:
        return Quiet()
    return Bars(total, attacks) if sys.stderr.isatty() else Lines(total, attacks)
