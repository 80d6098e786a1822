"""Attacks whose rate depends on their seed: one seed's rate says little of what such an attack reaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from leaderboard.checks.comparisons import LEVEL
from leaderboard.checks.finding import Finding, attacks, finding, limited, listed, together
from leaderboard.row import Row
from leaderboard.seeds import SAME


def seeds(rows: Sequence[Row]) -> list[Finding]:
    """A finding for each attack and target whose rate differs between seeds by more than its images explain."""
    several = [row for row in attacks(rows) if "across_seeds" in row]
    groups = [group for group in together(several, *SAME, "images").values() if len(group) > 1]
    found: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for group in groups:
        # Each row says the same of all seeds. The finding is told of the one with the lowest rate, which misleads most.
        lowest = min(group, key=lambda row: (row["abstention_rate"] or 0.0, row["seed"]))
        if lowest["across_seeds"]["p"] <= LEVEL / len(groups):
            found[lowest["suite"], lowest["target"], lowest["attack"], lowest["n"], lowest["alpha"]].append(lowest)
    result = []
    for cases in found.values():
        worst = min(cases, key=lambda row: row["across_seeds"]["p"])
        across = worst["across_seeds"]
        counts = dict(zip(across["seeds"], across["abstaining"], strict=True))
        least, most = sorted(across["apart"], key=lambda seed: counts[seed])
        text = (
            f"{limited(worst)} on {worst['target']}: its rate depends on the seed: at ε = {worst['epsilon']}"
            f" {counts[least]:,} of {worst['images']:,} images abstain with seed {least}, {counts[most]:,} with seed"
            f" {most}, more than noise on the same images explains"
        )
        others = sorted({row["epsilon"] for row in cases} - {worst["epsilon"]})
        text += f"; also ε = {listed(others)}" if others else ""
        result.append(finding("seeds", [worst, *(row for row in cases if row is not worst)], text))
    return result
