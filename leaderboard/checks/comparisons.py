"""Comparisons between rows that should come out one way: a stronger access, a larger ε or more queries find more."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

from leaderboard.access import CONTROL, STRONGER, TRANSFER, WHITE_BOX
from leaderboard.board import budget_of
from leaderboard.checks.finding import Finding, abstaining, deployment, finding, limited, listed, rate, together
from leaderboard.row import Row
from leaderboard.statistics import exceeds

LEVEL = 0.05
"""Chance that a board with nothing wrong shows a finding of one kind. Each comparison of that kind is tested, one-sided
and exactly, at this level divided by their number (Bonferroni)."""


def access(deployments: Sequence[Sequence[Row]]) -> list[Finding]:
    """A finding for each target and access that found less than an access that can do less."""
    pairs: list[tuple[Row, Row]] = []
    for rows in deployments:
        for group in together(rows, "target", "epsilon").values():
            for weak in group:
                for stronger in STRONGER.get(weak["access"], ()):
                    # The best of several rows is high by luck, too: the test errs on the side of silence.
                    equals = [row for row in group if row["access"] == stronger and _queries(row) >= _queries(weak)]
                    if equals:
                        pairs.append((weak, max(equals, key=rate)))
    found: dict[tuple[Any, ...], list[tuple[float, Row, Row]]] = defaultdict(list)
    for p, weak, strong in _significant(pairs):
        found[*deployment(strong), strong["target"], strong["access"]].append((p, weak, strong))
    result = []
    for cases in found.values():
        _, weak, strong = min(cases, key=lambda case: (case[0], case[1]["attack"]))
        text = (
            f"{strong['target']}: {_subject(weak['access'])} finds more than {strong['access']} access at"
            f" ε = {strong['epsilon']}: {abstaining(weak):,} of {weak['images']:,} images abstain under"
            f" {limited(weak)}, {abstaining(strong):,} under {limited(strong)}, the best of the stronger"
        )
        others = {row["access"] for _, row, _ in cases} - {weak["access"]}
        text += f"; so does {listed(sorted(map(_subject, others)))}" if others else ""
        elsewhere = [case[2] for case in cases if case[2]["epsilon"] != strong["epsilon"]]
        epsilons = listed(sorted({row["epsilon"] for row in elsewhere}))
        text += f"; also ε = {epsilons}" if elsewhere else ""
        result.append(finding("access", [row for case in cases for row in case[1:]], text))
    return result


def growth(deployments: Sequence[Sequence[Row]], kind: Literal["epsilon", "queries"]) -> list[Finding]:
    """A finding for each attack that finds less with a larger ε, or with more queries."""
    fixed = ("query_budget",) if kind == "epsilon" else ("epsilon",)

    def size(row: Row) -> float:
        return row["epsilon"] if kind == "epsilon" else budget_of(row)

    groups = [
        sorted(group, key=size)
        for rows in deployments
        for group in together((row for row in rows if row["access"] != CONTROL), "target", "attack", *fixed).values()
    ]
    pairs = [(less, more) for group in groups for i, less in enumerate(group) for more in group[i + 1 :]]
    found: dict[tuple[Any, ...], list[tuple[float, Row, Row]]] = defaultdict(list)
    for p, less, more in _significant(pairs):
        found[*deployment(more), more["target"], more["attack"]].append((p, less, more))
    result = []
    for cases in found.values():
        _, less, more = min(cases, key=lambda case: case[0])
        what = "a larger ε" if kind == "epsilon" else "a larger query budget"
        text = (
            f"{more['attack']} on {more['target']}: {what} finds less: {abstaining(less):,} of {less['images']:,}"
            f" images abstain under {limited(less)} at ε = {less['epsilon']}, {abstaining(more):,} under"
            f" {limited(more)} at ε = {more['epsilon']}"
        )
        result.append(finding(kind, [row for case in cases for row in case[1:]], text))
    return result


def _significant(pairs: Sequence[tuple[Row, Row]]) -> list[tuple[float, Row, Row]]:
    """The pairs of rows whose first rate is significantly above the second, with p-values; see `LEVEL`.

    The test treats the two rows as independent. They are of the same images under the same noise, so chance makes them
    differ less: the test errs on the side of silence.
    """
    found = []
    for a, b in pairs:
        k, other = abstaining(a), abstaining(b)
        # On as many images, a rate that is not above the other has p ≥ 1/2 by symmetry; most pairs are of this kind.
        if k > other or a["images"] != b["images"]:
            p = exceeds(k, a["images"], other, b["images"])
            if p <= LEVEL / len(pairs):
                found.append((p, a, b))
    return found


def _subject(access: str) -> str:
    return "a control" if access == CONTROL else f"{access} access"


def _queries(row: Row) -> float:
    """Queries to the target that an attack may spend on an image; infinity for the owner of the weights."""
    return 0 if row["access"] in (CONTROL, TRANSFER) else math.inf if row["access"] == WHITE_BOX else budget_of(row)
