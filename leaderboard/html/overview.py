"""What stands on top of the page: the answer in one sentence, and the picture's panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.access import CONTROL
from leaderboard.board import by_strength, fullest, is_best_of
from leaderboard.drawn.picture import telling_rows
from leaderboard.row import Row

LEVEL = 0.05
"""Of the test behind the answer, divided by the number of attacks and targets it is chosen from (Bonferroni)."""

VACUOUS = 0.9995
"""A ceiling that is written as 100.0%."""

FEW = 8
"""So many attacks are all in the picture; of more the strongest of each access."""


@dataclass(frozen=True)
class Panel:
    """One target: its clean rate and ceiling, None where every attack failed, and a row a line, None: not run."""

    target: str
    clean: float | None
    ceiling: float | None
    lines: list[tuple[str, Row | None]]


@dataclass(frozen=True)
class Overview:
    """The board at a glance, at one suite, n, α, seed, image set and ε.

    Attributes:
        rows: those shown, one an attack and target.
        strongest: the row that an attacker raised most above the clean rate; None where no attack ran.
        is_shown: whether that is more than chance.
        is_all: whether every attack is in the panels.
    """

    rows: list[Row]
    strongest: Row | None
    is_shown: bool
    panels: list[Panel]
    is_all: bool

    @property
    def accesses(self) -> list[str]:
        """Those of the picture's lines, each once."""
        rows = [row for panel in self.panels for _, row in panel.lines if row is not None]
        return list(dict.fromkeys(row["access"] for row in rows))


def overview(rows: Sequence[Row]) -> Overview:
    """Of at least one row: the first suite at its fullest n, α, seed and images, at the ε that tells most."""
    shown = telling_rows(rows)
    attacks = [row for row in shown if row["access"] != CONTROL and not is_best_of(row["attack"])]
    whole = [row for row in attacks if row["status"] == "ok"]
    # Where the ceiling is vacuous a rate says less: the certificate excludes nothing there.
    strongest = max([row for row in whole if not is_vacuous(row)] or whole, key=_gain, default=None)
    p = strongest["mcnemar_p"] if strongest else None
    is_shown = strongest is not None and _gain(strongest) > 0 and p is not None and p < LEVEL / len(whole)
    names = _lines(shown)
    targets = [target for _, target in sorted({(row["sigma"], row["target"]) for row in shown})]
    return Overview(
        shown,
        strongest,
        is_shown,
        [_panel(shown, target, names) for target in targets],
        set(names) == {row["attack"] for row in shown if not is_best_of(row["attack"])},
    )


def is_vacuous(row: Row) -> bool:
    """Whether the ceiling excludes nothing, to the digits that the page shows."""
    return row["ceiling"] is None or row["ceiling"] >= VACUOUS


def _gain(row: Row) -> float:
    return (row["abstention_rate"] or 0.0) - (row["clean_abstention_rate"] or 0.0)


def _lines(rows: Sequence[Row]) -> list[str]:
    """The attacks in the picture, strongest first."""
    access = {row["attack"]: row["access"] for row in rows}
    names = [name for name in by_strength(rows) if not is_best_of(name)]
    if len(names) <= FEW:
        return names
    seen: set[str] = set()
    chosen = []
    for name in names:
        if access[name] == CONTROL or access[name] not in seen:
            seen.add(access[name])
            chosen.append(name)
    return chosen


def _panel(rows: Sequence[Row], target: str, names: Sequence[str]) -> Panel:
    own = {row["attack"]: row for row in rows if row["target"] == target}
    shared = fullest(own.values())
    return Panel(
        target,
        shared["clean_abstention_rate"] if shared else None,
        shared["ceiling"] if shared else None,
        [(name, own.get(name)) for name in names],
    )
