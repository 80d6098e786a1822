"""Attacks that do nothing: they leave the images as they are, or abstention where the controls leave it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from leaderboard.access import CONTROL
from leaderboard.board import at_largest_budget
from leaderboard.checks.comparisons import LEVEL
from leaderboard.checks.finding import Finding, abstaining, attacks, finding, limited, listed, rate, together
from leaderboard.checks.gradients import is_blind, observed, unchanged_images
from leaderboard.row import Row

UNCHANGED = 0.95
"""Share of the images that an attack leaves as they are that is a finding."""

ROOM = 0.2
"""Nothing is held against an attack where the ceiling is less than this rate above the controls."""

SIX = 6
"""The same room in images: the exact paired test cannot tell fewer new abstentions from chance."""

NOTHING = 0.1
"""An attack that is not significantly above the controls counts as their equal up to this share of the room."""


def unchanged(rows: Sequence[Row]) -> list[Finding]:
    """A finding for each attack that sends the originals though the ceiling leaves room, unless gradients say why."""
    found = []
    for attack, group in together(attacks(rows), "attack").items():
        still = [row for row in group if is_still(row) and not is_blind(row)]
        if still:
            count, images = sum(map(unchanged_images, still)), sum(row["images"] for row in still)
            targets = listed(sorted({row["target"] for row in still}))
            text = f"{attack} left {count:,} of {images:,} images unchanged on {targets}"
            zero, gradients = (sum(observed(row)[name] for row in still) for name in ("zero_gradients", "gradients"))
            text += f" (gradients: {zero:,} of {gradients:,} zero)" if zero else ""
            found.append(finding("unchanged", still, text))
    return found


def is_still(row: Row) -> bool:
    """Whether an attack left nearly all images as they are though the ceiling leaves room."""
    room = (row["ceiling"] or 0) - (row["clean_abstention_rate"] or 0)
    return unchanged_images(row) >= UNCHANGED * row["images"] and room >= ROOM


def controls(rows: Sequence[Row]) -> list[Finding]:
    """A finding for each attack that, on some target, is no better than the controls at any ε with room for more."""
    best: dict[tuple[str, float], float] = defaultdict(float)
    for row in rows:
        if row["access"] == CONTROL:
            at = row["target"], row["epsilon"]
            best[at] = max(best[at], rate(row))

    def control(row: Row) -> float:
        return max(best[row["target"], row["epsilon"]], row["clean_abstention_rate"] or 0)

    def room(row: Row) -> float:
        return (row["ceiling"] or 0) - control(row)

    def is_equal(row: Row) -> bool:
        p = row["mcnemar_p"]
        ahead = rate(row) > (row["clean_abstention_rate"] or 0) and p is not None and p < LEVEL
        return not ahead and rate(row) - control(row) <= NOTHING * room(row)

    found = []
    competing = [row for row in at_largest_budget(attacks(rows)) if room(row) >= max(ROOM, SIX / row["images"])]
    for group in together(competing, "attack").values():
        by_target = together(group, "target")
        idle = [target for target in by_target if all(map(is_equal, by_target[target]))]
        told = [row for target in idle for row in by_target[target]]
        if told and not all(is_blind(row) or is_still(row) for row in told):
            under_control = sum(round(control(row) * row["images"]) for row in told)
            allowed = sum(round((row["ceiling"] or 0) * row["images"]) for row in told)
            where = idle[0] if len(by_target) == 1 else f"{len(idle)} of {len(by_target)} targets"
            text = (
                f"{limited(told[0])} does not stand out from the controls on {where}: {sum(map(abstaining, told)):,} of"
                f" {sum(row['images'] for row in told):,} images abstain, {under_control:,} with a control;"
                f" the ceilings allow {allowed:,}"
            )
            found.append(finding("controls", told, text))
    return found
