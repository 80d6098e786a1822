"""The soundness audit as a section of the page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from leaderboard.audit import Audit, Count
from leaderboard.drawn.markup import escape, table
from leaderboard.drawn.numbers import number
from leaderboard.row import Row


def audit_section(rows: Sequence[Row], audit: Audit) -> str:
    """The audit of all cells, and the rows that show more errors than their own images allow."""
    beyond = [row for row in rows if (row["flips_inside_radius"] or 0) > (row["flips_allowed"] or 0)]
    broken = audit["flips_inside_radius"] > audit["flips_allowed"]
    text = f"""\
CERTIFY and PREDICT each err with probability at most α. So a confident answer other than the certified one should be
rare inside the certified radius. This audit covers all {audit["cells"]:,} cells of the results folder, also those of
other suites, of replaced settings and of the controls: **{audit["images"]:,}** images. Of these,
{audit["inside_radius"]:,} were sent from inside the radius of a certificate, and **{audit["flips_inside_radius"]:,}**
got another confident answer. If errors were independent, Binomial({audit["inside_radius"]:,}, 2α) would stay within
**{audit["flips_allowed"]:,}** in 99.9% of runs. They are not: attacks on one image share its certificate
({audit["certificates"]:,} in all) and its evaluation noise, so errors come in clusters, and one cluster can exceed that
number by chance more often.
"""
    headers = ["target", "images sent", "with a certificate", "inside its radius", "confident flips", "allowed"]
    lines = [_counts("all", audit), *(_counts(target["target"], target) for target in audit["targets"])]
    text = f"{textwrap.fill(' '.join(text.split()), 118)}\n\n{table(headers, lines, text_columns=1)}\n\n"
    if broken:
        text += "**This is more than α allows, so the certificate or its use is broken.** "
    if not beyond:
        return text + "No row of this page shows more than its own images allow."
    found = "; ".join(
        f"{escape(row['attack'])} on {row['target']} at ε = {row['epsilon']}:"
        f" {row['flips_inside_radius']} of {row['flips_allowed']} allowed"
        for row in beyond
    )
    return text + f"**These rows show more, so the certificate or its use is broken**: {found}."


def _counts(name: str, count: Count) -> list[str]:
    counts = (count["images"], count["certified_answers"], count["inside_radius"], count["flips_inside_radius"])
    return [escape(name), *map(number, (*counts, count["flips_allowed"]))]
