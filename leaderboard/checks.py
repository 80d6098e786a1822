"""The check of the attacks: what a board's rows say of the evaluation itself.

An attack that finds nothing and a target that cannot be attacked look alike in a rate. Some of what tells them apart is
in the rows: gradients that were zero, images that nobody changed, a weaker access that found more than a stronger one,
a larger budget that found less than a smaller one, an attack that does no more than the controls.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict, get_args

from leaderboard.board import at_largest_budget, budget_of, is_ensemble
from leaderboard.row import CONTROL, Row
from leaderboard.statistics import exceeds

OBSERVED = {
    "gradients": "gradients of the target that arrived at an image, one an image and query",
    "zero_gradients": "of these, all zero",
    "broken_gradients": "of these, not finite",
    "images_asked": "images at which one arrived",
    "images_blind": "of these, at which every one was all zero or not finite",
}
"""What is counted while a white-box attack runs, summed over a row's cells; absent where no gradient arrived."""

ORDER: Mapping[str, tuple[str, ...]] = {
    "none": ("transfer", "decision", "score", "hybrid", "white-box"),
    # No query to the target, to which a hybrid attacker adds queries; the owner of the weights needs no surrogate.
    "transfer": ("hybrid", "white-box"),
    # A label is a function of the votes, and votes one of the weights. The unlabelled images that a decision attacker
    # has of his own say nothing of the target.
    "decision": ("score", "hybrid", "white-box"),
    "score": ("white-box",),
    "hybrid": ("white-box",),
}
"""Access by access, those that can do what it can and more, given as many queries. Others are not comparable: what
labels are worth against a surrogate, or votes against a surrogate and labels, depends on the target."""

LEVEL = 0.05
"""Chance that a board with nothing wrong shows a finding of one kind: each of its comparisons is tested, one-sided and
exactly, at this level divided by their number (Bonferroni)."""

BLIND = 0.1
"""Share of the images without a usable gradient that is a finding, but for as many as abstain unattacked and one more:
where the aim is reached already, zeros are right."""

BROKEN = 0.01
"""Share of gradients that are not finite that is a finding."""

UNCHANGED = 0.95
"""Share of the images that an attack leaves as they are that is a finding."""

ROOM = 0.2
"""What the ceiling must leave above the controls, as a rate, before finding nothing is held against an attack."""

SIX = 6
"""Images that the same must be: fewer that abstain under attack alone are within chance by the exact paired test."""

NOTHING = 0.1
"""Share of that room up to which an attack that is not significantly above the controls counts as their equal."""

Kind = Literal["gradients", "access", "epsilon", "queries", "unchanged", "controls"]

WARNINGS: tuple[Kind, ...] = ("gradients", "access", "epsilon", "queries")
"""Kinds after which a rate is no evidence of robustness; the others are facts about an attack."""


class Place(TypedDict):
    """Where on the board."""

    target: str
    epsilon: float


class Finding(TypedDict):
    """One sentence about an evaluation, with its counts."""

    kind: Kind
    severity: Literal["warning", "note"]
    suite: str
    n: int
    alpha: float
    seed: int
    attacks: list[str]
    places: list[Place]
    text: str


def check(rows: Iterable[Row]) -> list[Finding]:
    """What a board's rows say of its attacks: warnings first, then notes.

    Of rows over all images alone; attacks that failed say so themselves.
    """
    whole = [row for row in rows if row["status"] == "ok" and row["images"]]
    deployments = list(_together(whole, "suite", "n", "alpha", "seed", "of_images", "images").values())
    found = [finding for rows in deployments for finding in (*_gradients(rows), *_unchanged(rows), *_controls(rows))]
    found += [*_access(deployments), *_growth(deployments, "epsilon"), *_growth(deployments, "queries")]
    return sorted(found, key=lambda finding: get_args(Kind).index(finding["kind"]))


def _gradients(rows: Sequence[Row]) -> list[Finding]:
    """Targets at which attacks saw no gradient to follow."""
    found = []
    for target, group in _together(rows, "target").items():
        blind = [row for row in group if _is_blind(row)]
        if not blind:
            continue
        total = {name: sum(_seen(row)[name] for row in blind) for name in OBSERVED}
        kinds = [("zero_gradients", "zero"), ("broken_gradients", "not finite")]
        parts = [f"{total[name]:,} of {total['gradients']:,} {what}" for name, what in kinds if total[name]]
        still, images = sum(map(_unchanged_images, blind)), sum(row["images"] for row in blind)
        text = (
            f"{target} gives no gradient to follow at {total['images_blind']:,} of {total['images_asked']:,} images of"
            f" {_list(sorted({row['attack'] for row in blind}))} (gradients: {', '.join(parts)}); they left {still:,}"
            f" of {images:,} unchanged"
        )
        found.append(_finding("gradients", blind, text))
    return found


def _is_blind(row: Row) -> bool:
    seen = _seen(row)
    blind = seen["images_blind"] - round((row["clean_abstention_rate"] or 0) * row["images"])
    is_all = blind > 0 and seen["images_blind"] == seen["images_asked"]
    is_blind = is_all or blind >= max(2, BLIND * seen["images_asked"])
    return is_blind or seen["broken_gradients"] >= max(1, BROKEN * seen["gradients"])


def _seen(row: Row) -> dict[str, int]:
    observed = row.get("observed", {})
    return {name: observed.get(name, 0) for name in OBSERVED}


def _unchanged(rows: Sequence[Row]) -> list[Finding]:
    """Attacks that send the originals, though the ceiling leaves room; not where gradients say why."""
    found = []
    for attack, group in _together(_attacks(rows), "attack").items():
        still = [row for row in group if _is_still(row) and not _is_blind(row)]
        if still:
            count, images = sum(map(_unchanged_images, still)), sum(row["images"] for row in still)
            text = f"{attack} left {count:,} of {images:,} images unchanged on {_list(_targets(still))}"
            zero, gradients = (sum(_seen(row)[name] for row in still) for name in ("zero_gradients", "gradients"))
            text += f" (gradients: {zero:,} of {gradients:,} zero)" if zero else ""
            found.append(_finding("unchanged", still, text))
    return found


def _is_still(row: Row) -> bool:
    room = (row["ceiling"] or 0) - (row["clean_abstention_rate"] or 0)
    return _unchanged_images(row) >= UNCHANGED * row["images"] and room >= ROOM


def _unchanged_images(row: Row) -> int:
    """Images that kept the budget rule by staying as they were."""
    return round((row["valid_rate"] or 0) * row["images"]) - (row["changed"] or 0)


def _controls(rows: Sequence[Row]) -> list[Finding]:
    """Attacks that, on some target, do no more than the controls at any ε at which the ceiling leaves room for more."""
    best: dict[tuple[str, float], float] = defaultdict(float)
    for row in rows:
        if row["access"] == CONTROL:
            at = row["target"], row["epsilon"]
            best[at] = max(best[at], _rate(row))

    def control(row: Row) -> float:
        return max(best[row["target"], row["epsilon"]], row["clean_abstention_rate"] or 0)

    def room(row: Row) -> float:
        return (row["ceiling"] or 0) - control(row)

    def is_equal(row: Row) -> bool:
        p = row["mcnemar_p"]
        ahead = _rate(row) > (row["clean_abstention_rate"] or 0) and p is not None and p < LEVEL
        return not ahead and _rate(row) - control(row) <= NOTHING * room(row)

    found = []
    competing = [row for row in at_largest_budget(_attacks(rows)) if room(row) >= max(ROOM, SIX / row["images"])]
    for group in _together(competing, "attack").values():
        by_target = _together(group, "target")
        idle = [target for target in by_target if all(map(is_equal, by_target[target]))]
        told = [row for target in idle for row in by_target[target]]
        if told and not all(_is_blind(row) or _is_still(row) for row in told):
            counts = [
                sum(round(value * row["images"]) for row, value in zip(told, values, strict=True))
                for values in (map(_rate, told), map(control, told), (row["ceiling"] or 0 for row in told))
            ]
            where = idle[0] if len(by_target) == 1 else f"{len(idle)} of {len(by_target)} targets"
            text = (
                f"{_limited(told[0])} does not stand out from the controls on {where}: {counts[0]:,} of"
                f" {sum(row['images'] for row in told):,} images abstain, {counts[1]:,} with a control;"
                f" the ceilings allow {counts[2]:,}"
            )
            found.append(_finding("controls", told, text))
    return found


def _access(deployments: Sequence[Sequence[Row]]) -> list[Finding]:
    """Targets on which an access found less than one that can do less."""
    pairs: list[tuple[Row, Row]] = []
    for rows in deployments:
        for group in _together(rows, "target", "epsilon").values():
            for weak in group:
                for access in ORDER.get(weak["access"], ()):
                    # The best of several is high by luck, too, which errs on the side of silence.
                    equals = [row for row in group if row["access"] == access and _queries(row) >= _queries(weak)]
                    if equals:
                        pairs.append((weak, max(equals, key=_rate)))
    found: dict[tuple[Any, ...], list[tuple[float, Row, Row]]] = defaultdict(list)
    for p, weak, strong in _significant(pairs):
        found[*_deployment(strong), strong["target"], strong["access"]].append((p, weak, strong))
    result = []
    for cases in found.values():
        _, weak, strong = min(cases, key=lambda case: (case[0], case[1]["attack"]))
        text = (
            f"{strong['target']}: {_subject(weak['access'])} finds more than {strong['access']} access at"
            f" ε = {strong['epsilon']}: {_count(weak):,} of {weak['images']:,} images abstain under {_limited(weak)},"
            f" {_count(strong):,} under {_limited(strong)}, the best of the stronger"
        )
        others = {row["access"] for _, row, _ in cases} - {weak["access"]}
        text += f"; so does {_list(sorted(map(_subject, others)))}" if others else ""
        elsewhere = [case[2] for case in cases if case[2]["epsilon"] != strong["epsilon"]]
        text += f"; also {_epsilons(elsewhere)}" if elsewhere else ""
        result.append(_finding("access", [row for case in cases for row in case[1:]], text))
    return result


def _growth(deployments: Sequence[Sequence[Row]], kind: Literal["epsilon", "queries"]) -> list[Finding]:
    """Attacks that find less with a larger ε, or with more queries, than with less of it."""
    fixed = ("query_budget",) if kind == "epsilon" else ("epsilon",)

    def size(row: Row) -> float:
        return row["epsilon"] if kind == "epsilon" else budget_of(row)

    groups = [
        sorted(group, key=size)
        for rows in deployments
        for group in _together((row for row in rows if row["access"] != CONTROL), "target", "attack", *fixed).values()
    ]
    pairs = [(less, more) for group in groups for i, less in enumerate(group) for more in group[i + 1 :]]
    found: dict[tuple[Any, ...], list[tuple[float, Row, Row]]] = defaultdict(list)
    for p, less, more in _significant(pairs):
        found[*_deployment(more), more["target"], more["attack"]].append((p, less, more))
    result = []
    for cases in found.values():
        _, less, more = min(cases, key=lambda case: case[0])
        what = "a larger ε" if kind == "epsilon" else "a larger query budget"
        text = (
            f"{more['attack']} on {more['target']}: {what} finds less: {_count(less):,} of {less['images']:,} images"
            f" abstain under {_limited(less)} at ε = {less['epsilon']}, {_count(more):,} under {_limited(more)} at"
            f" ε = {more['epsilon']}"
        )
        result.append(_finding(kind, [row for case in cases for row in case[1:]], text))
    return result


def _significant(pairs: Sequence[tuple[Row, Row]]) -> list[tuple[float, Row, Row]]:
    """Of pairs of rows over as many images those whose first rate is above the second, with p-values; see `LEVEL`.

    As if the two were of different images. They are of the same, under the same noise, so that chance makes them differ
    less: the test errs on the side of silence.
    """
    tested = [(exceeds(_count(a), a["images"], _count(b), b["images"]), a, b) for a, b in pairs]
    return [case for case in tested if case[0] <= LEVEL / len(pairs)]


def _subject(access: str) -> str:
    return "a control" if access == CONTROL else f"{access} access"


def _attacks(rows: Iterable[Row]) -> list[Row]:
    """Without the controls, and without what takes the best of others."""
    return [row for row in rows if row["access"] != CONTROL and not is_ensemble(row["attack"])]


def _queries(row: Row) -> float:
    """Queries to the target that an attack may spend on an image; whoever has the weights needs none."""
    return 0 if row["access"] in (CONTROL, "transfer") else math.inf if row["access"] == "white-box" else budget_of(row)


def _rate(row: Row) -> float:
    return row["abstention_rate"] or 0.0


def _count(row: Row) -> int:
    """Images on which PREDICT abstains."""
    return round(_rate(row) * row["images"])


def _deployment(row: Row) -> tuple[Any, ...]:
    return (row["suite"], row["n"], row["alpha"], row["seed"])


def _finding(kind: Kind, rows: Sequence[Row], text: str) -> Finding:
    suite, n, alpha, seed = _deployment(rows[0])
    places = sorted({(row["target"], row["epsilon"]) for row in rows})
    return Finding(
        kind=kind,
        severity="warning" if kind in WARNINGS else "note",
        suite=suite,
        n=n,
        alpha=alpha,
        seed=seed,
        attacks=sorted({row["attack"] for row in rows}),
        places=[Place(target=target, epsilon=epsilon) for target, epsilon in places],
        text=text,
    )


def _limited(row: Row) -> str:
    return row["attack"] if row["query_budget"] is None else f"{row['attack']} (≤ {row['query_budget']:,} queries)"


def _targets(rows: Sequence[Row]) -> list[str]:
    return sorted({row["target"] for row in rows})


def _epsilons(rows: Sequence[Row]) -> str:
    return f"ε = {_list(sorted({row['epsilon'] for row in rows}))}"


def _list(things: Sequence[object]) -> str:
    return ", ".join(map(str, things))


def _together(rows: Iterable[Row], *names: str) -> dict[Any, list[Row]]:
    """Rows with equal values under these names together, in the order of the rows, by their value or values."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        values = tuple(dict(row)[name] for name in names)
        groups[values if len(names) > 1 else values[0]].append(row)
    return groups
