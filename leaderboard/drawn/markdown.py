"""The board as a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.audit import Audit
from leaderboard.board import at_common_budget
from leaderboard.checks import Finding
from leaderboard.drawn import origin
from leaderboard.drawn.audit_table import audit_section
from leaderboard.drawn.check_tables import alert, section
from leaderboard.drawn.groups import DEPLOYMENT, conditions, grouped, image_set, together
from leaderboard.drawn.markup import escape
from leaderboard.drawn.reading import HOW_TO_READ, INTRODUCTION, SUMMARY
from leaderboard.drawn.row_tables import details, failures, hyper_parameters
from leaderboard.drawn.summary import mean_shares, summary
from leaderboard.machines import Machine
from leaderboard.row import Row
from leaderboard.sources import legend
from leaderboard.stored.cell import Damage


def markdown(
    rows: Sequence[Row],
    *,
    audit: Audit,
    checks: Sequence[Finding],
    damaged: Sequence[Damage],
    curves: Sequence[str],
    standings: Sequence[str] = (),
    machines: Sequence[Machine],
    commit: str,
    version: str,
    created: str,
    picture: str,
    outdated: int = 0,
) -> str:
    """The page of at least one row; ends in a newline.

    Args:
        curves: the parts of its section on curves.
        standings: the parts of its section on the defender's side.
        picture: the address of the picture of the board.
        outdated: how many cells it leaves out, see `leaderboard.variants.outdated`.
    """
    seeds = ", ".join(str(seed) for seed in sorted({row["seed"] for row in rows}))
    parts = [
        "# Abstention leaderboard",
        INTRODUCTION,
        f"abstention-bench {version} · commit `{commit}` · {created} · seed {seeds}",
        origin.computed(machines, rows),
        alert(checks),
        origin.damaged(damaged),
        f"![Abstention rate of every attack on every target, with clean rate and ceiling]({picture})",
        "## How to read it",
        HOW_TO_READ + _legend(rows),
        "## Summary",
        SUMMARY,
    ]
    main = [row for group in together(rows, *DEPLOYMENT) for row in at_common_budget(group)]
    for group in together(main, *DEPLOYMENT, "epsilon"):
        parts += [f"### {_title(group[0])}", summary(group)]
    parts += [mean_shares(group) for group in together(main, *DEPLOYMENT)]
    parts += standings
    parts += section(checks)
    parts += curves
    parts += ["## Every row", origin.superseded(rows), origin.outdated(outdated), origin.surrogates(rows)]
    for group in grouped(rows, "suite", "target", *DEPLOYMENT[1:], "epsilon"):
        parts += [f"### {_title(group[0], group[0]['target'])}", details(group)]
    parts += ["## Failures", failures(rows)]
    parts += ["## Soundness audit", audit_section(rows, audit)]
    parts += ["## Attacks and their hyper-parameters", hyper_parameters(rows)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _legend(rows: Sequence[Row]) -> str:
    """What the marks behind names mean; empty where every row was computed here."""
    lines = (line.replace(":", "**:", 1) for line in legend(rows))
    return "".join(f"- **{line}.\n" for line in lines)


def _title(row: Row, *names: str) -> str:
    return escape(", ".join([row["suite"], *names, f"ε = {row['epsilon']}", conditions(row), image_set(row)]))
