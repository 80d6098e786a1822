"""The check of the attacks: what the rows of a board say of the evaluation itself.

After gradients that were zero, a weaker access that found more than a stronger one, a larger budget that found less
than a smaller one, or a rate that depends on the seed, a low rate is no evidence of robustness. An attack that does no
more than the controls is noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from leaderboard.checks.comparisons import access, growth
from leaderboard.checks.finding import Finding, Kind, together
from leaderboard.checks.gradients import OBSERVED, gradients
from leaderboard.checks.idle import controls, unchanged
from leaderboard.checks.seeds import seeds
from leaderboard.row import Row

__all__ = ["OBSERVED", "Finding", "check"]


def check(rows: Iterable[Row]) -> list[Finding]:
    """What the rows of a board say of its attacks: warnings first, then notes.

    Rows that are partial or failed are not looked at.
    """
    whole = [row for row in rows if row["status"] == "ok" and row["images"]]
    deployments = list(together(whole, "suite", "n", "alpha", "seed", "of_images", "images").values())
    found = [finding for rows in deployments for finding in (*gradients(rows), *unchanged(rows), *controls(rows))]
    found += seeds(whole)
    found += [*access(deployments), *growth(deployments, "epsilon"), *growth(deployments, "queries")]
    return sorted(found, key=lambda finding: get_args(Kind).index(finding["kind"]))
