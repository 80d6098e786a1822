"""White-box attacks that saw no gradient to follow: zero, or not finite."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.checks.finding import Finding, finding, listed, together
from leaderboard.row import Row

OBSERVED = {
    "gradients": "gradients of the target that arrived at an image, one an image and query",
    "zero_gradients": "of these, all zero",
    "broken_gradients": "of these, not finite",
    "images_asked": "images at which one arrived",
    "images_blind": "of these, at which every one was all zero or not finite",
}
"""What is counted while a white-box attack runs, summed over a row's cells; absent where no gradient arrived."""

BLIND = 0.1
"""Share of the images without a usable gradient that is a finding. As many images as abstain unattacked, and one more,
are not counted: there zeros are right, as the aim is reached already."""

BROKEN = 0.01
"""Share of gradients that are not finite that is a finding."""


def gradients(rows: Sequence[Row]) -> list[Finding]:
    """A finding for each target at which attacks saw no gradient to follow."""
    found = []
    for target, group in together(rows, "target").items():
        blind = [row for row in group if is_blind(row)]
        if not blind:
            continue
        total = {name: sum(observed(row)[name] for row in blind) for name in OBSERVED}
        kinds = [("zero_gradients", "zero"), ("broken_gradients", "not finite")]
        parts = [f"{total[name]:,} of {total['gradients']:,} {what}" for name, what in kinds if total[name]]
        still, images = sum(map(unchanged_images, blind)), sum(row["images"] for row in blind)
        text = (
            f"{target} gives no gradient to follow at {total['images_blind']:,} of {total['images_asked']:,} images of"
            f" {listed(sorted({row['attack'] for row in blind}))} (gradients: {', '.join(parts)}); they left {still:,}"
            f" of {images:,} unchanged"
        )
        found.append(finding("gradients", blind, text))
    return found


def is_blind(row: Row) -> bool:
    """Whether an attack saw too few usable gradients."""
    seen = observed(row)
    blind = seen["images_blind"] - round((row["clean_abstention_rate"] or 0) * row["images"])
    is_all = blind > 0 and seen["images_blind"] == seen["images_asked"]
    too_many = is_all or blind >= max(2, BLIND * seen["images_asked"])
    return too_many or seen["broken_gradients"] >= max(1, BROKEN * seen["gradients"])


def observed(row: Row) -> dict[str, int]:
    """All counts of `OBSERVED`, 0 where a row has none."""
    counts = row.get("observed", {})
    return {name: counts.get(name, 0) for name in OBSERVED}


def unchanged_images(row: Row) -> int:
    """Images that kept the budget rule by staying as they were."""
    return round((row["valid_rate"] or 0) * row["images"]) - (row["changed"] or 0)
