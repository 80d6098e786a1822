"""Where a board was computed: the machines and commits of its cells, and the command."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypedDict

from leaderboard.store import StoredCell


class Machine(TypedDict):
    """The cells of one suite that one kind of machine ran, or that were adopted together. None: not recorded."""

    suite: str
    command: str  # that runs the suite
    device: str | None
    threads: int | None
    torch: str | None
    python: str | None
    adopted: bool  # from a published board, not run into this results folder
    cells: int
    seconds: float  # wall time of these cells together
    commits: list[str]


def machines(cells: Iterable[StoredCell], command: Callable[[str, int], str]) -> list[Machine]:
    """Who ran these cells, most cells of a suite first; failed cells do not count.

    Args:
        command: (suite, number of its images) → what runs it.
    """
    groups: dict[tuple[str, ...], list[StoredCell]] = defaultdict(list)
    images: dict[str, set[int]] = defaultdict(set)
    for cell in sorted(cells, key=lambda cell: cell.key):
        if cell.status == "ok":
            facts = [repr(cell.provenance.get(name)) for name in ("device", "threads", "torch", "python")]
            groups[cell.settings["suite"], *facts, repr(cell.has_images)].append(cell)
            images[cell.settings["suite"]].update(cell.settings["images"])
    order = sorted(groups, key=lambda key: (key[0], -len(groups[key]), key))
    return [_machine(groups[key], command(key[0], len(images[key[0]]))) for key in order]


def _machine(cells: list[StoredCell], command: str) -> Machine:
    suite, facts = cells[0].settings["suite"], cells[0].provenance
    return Machine(
        suite=suite,
        command=command,
        device=facts.get("device"),
        threads=facts.get("threads"),
        torch=facts.get("torch"),
        python=facts.get("python"),
        adopted=not cells[0].has_images,
        cells=len(cells),
        seconds=sum(cell.seconds for cell in cells),
        commits=sorted({cell.provenance["commit"] for cell in cells if "commit" in cell.provenance}),
    )
