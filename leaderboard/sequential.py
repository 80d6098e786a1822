"""What a target costs at the sequential predictor: samples an image uses, clean and under attack.

That predictor stops once the votes suffice (`targets.stopping.Sequential`). A vote near the tie makes it stop late, so
an attack that forces abstention slows it down, too. The attacks knew PREDICT at the n of their rows, and not it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, cast

from leaderboard.access import CONTROL, ordered
from leaderboard.availability import Rate, Standing, table_of
from leaderboard.board import at_largest_budget
from leaderboard.bootstrap import interval
from leaderboard.evidence import CLEAN
from leaderboard.row import Row
from leaderboard.statistics import clopper_pearson
from leaderboard.stored.records import ABSTAIN
from leaderboard.stored.sequential import Drawn
from leaderboard.stored.source import LANDED_FOR
from leaderboard.variants import Variant

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leaderboard.bootstrap import Array


class Mean(TypedDict):
    """A figure of means over images, with its 95% bootstrap interval (`leaderboard.bootstrap`)."""

    mean: float
    low: float | None
    high: float | None


class Cost(TypedDict):
    """A row's cost at the sequential predictor, beside that of its originals on the same noise."""

    suite: str
    target: str
    attack: str
    access: str
    query_budget: int | None
    data: str
    epsilon: float
    n: int  # PREDICT's, which the attack knew
    alpha: float
    seed: int
    images: int
    of_images: int
    most: int  # samples that the predictor may take of an image
    level: float  # its α
    samples: Mean
    clean_samples: Mean
    times: Mean  # samples / clean_samples, paired
    abstained: Rate
    clean_abstained: Rate


@dataclass(frozen=True)
class Line:
    """A target's costs at one ε.

    Attributes:
        clean: the row that says what its originals cost.
        costliest: of the measured attacks, the one that takes the most samples; None where none was measured.
        by_access: of each access the same.
        missing: attacks that are measured for another target of the table and not for this one.
    """

    target: str
    clean: Cost
    costliest: Cost | None
    by_access: dict[str, Cost]
    missing: list[str]


@dataclass(frozen=True)
class Table:
    """The costs of the targets of one table of standings, at one `most` and level of the predictor.

    Attributes:
        accesses: in order, all that any line has.
        lines: in the order of the standings.
    """

    standing: Standing
    most: int
    level: float
    accesses: list[str]
    lines: list[Line]


def costs(variants: Iterable[Variant], found: Iterable[Drawn]) -> list[Cost]:
    """What each row costs of which all images were measured; of a target and ε the most samples first.

    Args:
        found: by cell. Those of cells that no row counts are left out. So are re-evaluated rows: their images are those
            of other rows.
    """
    by_predictor: dict[tuple[int, float], dict[str, Drawn]] = defaultdict(dict)
    for one in found:
        by_predictor[one.n, one.alpha][one.cell] = one
    result = []
    for variant in variants:
        counted = variant.counted()
        if not counted or LANDED_FOR in variant.cells[-1].settings:
            continue
        for (most, level), by_cell in by_predictor.items():
            if counted.keys() <= by_cell.keys():
                result.append(_cost(variant, counted, by_cell, most, level))
    return sorted(result, key=lambda cost: (*_order(cost), -cost["samples"]["mean"], cost["attack"], _budget(cost)))


def _order(of: Cost) -> tuple[Any, ...]:
    return (*table_of(of), of["target"], of["most"], of["level"])


def _budget(cost: Cost) -> int:
    return cost["query_budget"] or 0


def _cost(variant: Variant, counted: dict[str, set[int]], by_cell: dict[str, Drawn], most: int, level: float) -> Cost:
    import numpy as np

    images = {cell.key: cell.settings["images"] for cell in variant.done}
    lists: dict[str, list[int]] = defaultdict(list)
    for key, counts in counted.items():
        for at, image in enumerate(images[key]):
            if image in counts:
                lists["image"].append(image)
                for name in ("drawn", "clean_drawn", "outcome", "clean_outcome"):
                    lists[name].append(getattr(by_cell[key], name)[at])
    order = np.argsort(lists["image"])  # the bootstrap draws by place: shards must not change it
    columns = {name: np.array(values)[order] for name, values in lists.items()}
    drawn, clean = columns["drawn"], columns["clean_drawn"]
    settings = variant.cells[-1].settings
    return Cost(
        suite=settings["suite"],
        target=settings["target"],
        attack=settings["attack"],
        access=settings["access"],
        query_budget=settings.get("query_budget"),
        data=settings["data"],
        epsilon=settings["epsilon"],
        n=settings["n"],
        alpha=settings["alpha"],
        seed=settings["seed"],
        images=len(drawn),
        of_images=variant.size,
        most=most,
        level=level,
        samples=_mean(drawn),
        clean_samples=_mean(clean),
        times=_times(drawn, clean),
        abstained=_abstained(columns["outcome"]),
        clean_abstained=_abstained(columns["clean_outcome"]),
    )


def _mean(drawn: NDArray[np.int64]) -> Mean:
    low, high = interval(lambda means: means[:, 0], drawn) or (None, None)
    return Mean(mean=float(drawn.mean()), low=low, high=high)


def _times(drawn: NDArray[np.int64], clean: NDArray[np.int64]) -> Mean:
    def ratio(means: Array) -> Array:
        result: Array = means[:, 0] / means[:, 1]
        return result

    low, high = interval(ratio, drawn, clean) or (None, None)
    return Mean(mean=float(drawn.mean() / clean.mean()), low=low, high=high)


def _abstained(outcome: NDArray[np.int64]) -> Rate:
    abstained, images = int((outcome == ABSTAIN).sum()), len(outcome)
    low, high = clopper_pearson(abstained, images)
    return Rate(rate=abstained / images, low=low, high=high)


def tables(standings: Sequence[Standing], found: Iterable[Cost]) -> list[Table]:
    """The costs of targets that have a standing, a table for each table of standings and each `most` and level.

    Only whole rows count, and of an attack's query budgets the largest that was measured.
    """
    by_table: dict[tuple[Any, ...], dict[str, list[Cost]]] = defaultdict(lambda: defaultdict(list))
    whole = [cost for cost in found if cost["images"] == cost["of_images"]]
    for predictor in sorted({(cost["most"], cost["level"]) for cost in whole}):
        alike = [cost for cost in whole if (cost["most"], cost["level"]) == predictor]
        for cost in cast(list[Cost], at_largest_budget(cast(list[Row], alike))):
            by_table[*table_of(cost), *predictor][cost["target"]].append(cost)
    ranked: dict[tuple[Any, ...], list[Standing]] = defaultdict(list)
    for standing in standings:
        ranked[table_of(standing)].append(standing)
    result = []
    for place, group in ranked.items():
        for key in sorted(key for key in by_table if key[:-2] == place):
            by_target = by_table[key]
            wanted = {cost["attack"] for of_target in by_target.values() for cost in of_target}
            lines = [_line(by_target[one["target"]], wanted) for one in group if one["target"] in by_target]
            if lines:
                accesses = ordered(access for line in lines for access in line.by_access)
                result.append(Table(group[0], key[-2], key[-1], accesses, lines))
    return result


def _line(measured: Sequence[Cost], wanted: set[str]) -> Line:
    attacks = sorted(
        (cost for cost in measured if cost["attack"] != CLEAN),
        key=lambda cost: (-cost["samples"]["mean"], cost["attack"]),
    )
    by_access: dict[str, Cost] = {}
    for cost in attacks:
        if cost["access"] != CONTROL:
            by_access.setdefault(cost["access"], cost)
    costliest = attacks[0] if attacks else None
    return Line(
        target=measured[0]["target"],
        # Originals of other rows are on the same noise, but for best-of and submitted ones.
        clean=next((cost for cost in measured if cost["attack"] == CLEAN), costliest or measured[0]),
        costliest=costliest,
        by_access=by_access,
        missing=sorted(wanted - {cost["attack"] for cost in measured}),
    )
