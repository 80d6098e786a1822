"""The same row under several seeds: whether its rate changes by more than the noise on its images explains."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from leaderboard.row import AcrossSeeds, Measured
from leaderboard.statistics import mcnemar
from leaderboard.stored.records import ABSTAIN
from leaderboard.stored.source import LANDED_FOR

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAME = ("suite", "target", "attack", "query_budget", "epsilon", "n", "alpha", "of_images")
"""What rows of several seeds have in common, beside hyper-parameters and images."""


def compare_seeds(found: Iterable[Measured]) -> None:
    """Give rows of several seeds on the same images their `across_seeds`. Re-evaluated rows are left out.

    If nothing but noise differs, an image abstains under one seed and not under another as often as the other way
    round, however many images do. So each pair of seeds is tested by McNemar's exact test, and Bonferroni's correction
    for the number of pairs makes one p-value of them.
    """
    groups: dict[tuple[Any, ...], list[tuple[Measured, NDArray[np.bool_]]]] = defaultdict(list)
    for one in found:
        row, records = one
        if records is None or row["status"] != "ok" or LANDED_FOR in row:
            continue
        same = tuple(dict(row)[name] for name in SAME), json.dumps(row["parameters"], sort_keys=True)
        groups[*same, records["image"].tobytes()].append((one, records["outcome"] == ABSTAIN))
    for group in groups.values():
        group.sort(key=lambda member: member[0].row["seed"])
        seeds = [one.row["seed"] for one, _ in group]
        if len(set(seeds)) == len(seeds) > 1:
            for one, _ in group:
                one.row["across_seeds"] = _compared(seeds, [abstains for _, abstains in group])


def _compared(seeds: Sequence[int], abstains: Sequence[NDArray[np.bool_]]) -> AcrossSeeds:
    tests = [
        (mcnemar(int((abstains[a] & ~abstains[b]).sum()), int((~abstains[a] & abstains[b]).sum())), a, b)
        for a, b in combinations(range(len(seeds)), 2)
    ]
    p, a, b = min(tests)
    counts = [int(one.sum()) for one in abstains]
    return AcrossSeeds(seeds=list(seeds), abstaining=counts, p=min(1.0, p * len(tests)), apart=[seeds[a], seeds[b]])
