"""Where a board was computed: the machines and commits of its cells, and the command."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypedDict

from leaderboard.image_sets import TOGETHER, grouped, image_sets
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.source import source_of


class Asked(TypedDict):
    """What a run asked for: the part of a suite that some cells were computed for, on whatever machine."""

    suite: str
    n: int
    alpha: float
    seed: int
    images: int
    epsilons: list[float]
    query_budgets: list[int]  # most queries an image; empty: no attack had a limit
    options: list[str] | None  # the options of the command; None in cells of versions that did not record them


class Machine(TypedDict):
    """The cells of one command that one kind of machine ran. None: not recorded."""

    suite: str
    command: str  # runs these cells, and others if they are missing
    device: str | None
    threads: int | None
    torch: str | None
    python: str | None
    adopted: bool  # from a published board, not run into this results folder
    cells: int
    seconds: float  # wall time of these cells together
    commits: list[str]


def machines(cells: Iterable[StoredCell], command: Callable[[Asked], str]) -> list[Machine]:
    """The machines that ran these cells, for each command those with the most cells first. Failed cells do not count.

    Args:
        command: the command line for what was asked for.
    """
    result = []
    for asked, together in by_command(cell for cell in cells if cell.status == "ok"):
        groups: dict[tuple[str, ...], list[StoredCell]] = defaultdict(list)
        for cell in together:
            facts = [repr(cell.provenance.get(name)) for name in ("device", "threads", "torch", "python")]
            groups[*facts, repr(source_of(cell) == "adopted")].append(cell)
        order = sorted(groups, key=lambda key: (-len(groups[key]), key))
        result += [_machine(groups[key], command(asked)) for key in order]
    return result


def by_command(cells: Iterable[StoredCell]) -> list[tuple[Asked, list[StoredCell]]]:
    """The cells by the command that runs them, with what it asked for.

    A cell that several commands asked for is listed under the one that asked for the most cells, so that few commands
    remain.
    """
    cells = sorted(cells, key=lambda cell: cell.key)
    groups = []
    for together in grouped(cells, _CONDITIONS):
        groups += _silent(cell for cell in together if not cell.asked)
        groups += _said([cell for cell in together if cell.asked])
    return sorted(groups, key=lambda group: [group[0][name] for name in _CONDITIONS])


_CONDITIONS: tuple[Literal["suite", "n", "alpha", "seed"], ...] = ("suite", "n", "alpha", "seed")


def _said(cells: Sequence[StoredCell]) -> list[tuple[Asked, list[StoredCell]]]:
    """The cells that record the commands that asked for them, the command with the most cells first."""
    groups = []
    while cells:
        count = Counter(tuple(request["options"]) for cell in cells for request in cell.asked)
        options = max(count, key=lambda words: (count[words], words))
        its = {cell.key for cell in cells if list(options) in [request["options"] for request in cell.asked]}
        its_cells = [cell for cell in cells if cell.key in its]
        groups.append((Asked(**{**_asked(its_cells), "options": list(options)}), its_cells))
        cells = [cell for cell in cells if cell.key not in its]
    return groups


def _silent(cells: Iterable[StoredCell]) -> list[tuple[Asked, list[StoredCell]]]:
    """The other cells, by the size of their image set."""
    groups: dict[int, list[StoredCell]] = defaultdict(list)
    for together in grouped(cells, TOGETHER):
        for images in image_sets(together):
            groups[images.size] += [cell for cell in together if cell.key in images.asked]
    return [(_asked(groups[size]), sorted(groups[size], key=lambda cell: cell.key)) for size in sorted(groups)]


def _asked(cells: list[StoredCell]) -> Asked:
    settings = [cell.settings for cell in cells]
    return Asked(
        suite=settings[0]["suite"],
        n=settings[0]["n"],
        alpha=settings[0]["alpha"],
        seed=settings[0]["seed"],
        images=len({image for found in settings for image in found["images"]}),
        epsilons=sorted({found["epsilon"] for found in settings}),
        query_budgets=sorted({found["query_budget"] for found in settings if found.get("query_budget")}),
        options=None,
    )


def _machine(cells: list[StoredCell], command: str) -> Machine:
    suite, facts = cells[0].settings["suite"], cells[0].provenance
    return Machine(
        suite=suite,
        command=command,
        device=facts.get("device"),
        threads=facts.get("threads"),
        torch=facts.get("torch"),
        python=facts.get("python"),
        adopted=source_of(cells[0]) == "adopted",
        cells=len(cells),
        seconds=sum(cell.seconds for cell in cells),
        commits=sorted({commit for cell in cells if (commit := cell.provenance.get("commit")) is not None}),
    )
