"""The check of the attacks: a few lines for the terminal, a section for the page."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.checks import Finding
from leaderboard.drawn.markup import escape, table

TITLE = "Check of the attacks"
MOST = 6
"""Findings that the terminal shows; the page has all."""

_INTRODUCTION = """\
A low rate can be the weakness of the attacks and not the strength of the target. A **warning** names rates that are
no evidence of robustness: gradients were zero, a weaker access found more than a stronger one, a larger ε or query
budget found less than a smaller one, or the rate depends on the seed. A **note** states a fact about an attack: it left
the images as they were, or does not stand out from the controls though the ceiling leaves room. Rates are compared by
exact one-sided tests (Fisher), of several seeds by exact paired ones (McNemar), each kind of finding at 5% divided by
its number of comparisons. So at most one in twenty boards with nothing wrong shows a warning of a given kind by chance.
What to do about each is in `docs/checks.md`.
"""


def lines(findings: Sequence[Finding]) -> str:
    """The first of the findings, one a line."""
    if not findings:
        return f"{TITLE}: nothing found."
    shown = [f"  {finding['severity']}: {finding['text']}" for finding in findings[:MOST]]
    more = len(findings) - len(shown)
    return "\n".join([f"{TITLE}:", *shown, *([f"  {more} more on the page."] if more else [])])


def section(findings: Sequence[Finding]) -> list[str]:
    """The parts of the page's section."""
    body = [
        [
            f"**{finding['severity']}**" if finding["severity"] == "warning" else finding["severity"],
            escape(finding["text"]),
            escape(", ".join(dict.fromkeys(place["target"] for place in finding["places"]))),
            ", ".join(str(epsilon) for epsilon in sorted({place["epsilon"] for place in finding["places"]})),
            escape(f"{finding['suite']}, n = {finding['n']:,}, α = {finding['alpha']:g}, seed {finding['seed']}"),
        ]
        for finding in findings
    ]
    headers = ["", "what", "targets", "ε", "of"]
    return [f"## {TITLE}", _INTRODUCTION, table(headers, body, text_columns=len(headers)) if body else "Nothing found."]


def alert(findings: Sequence[Finding]) -> str:
    """A line for the top of the page; empty without warnings."""
    count = sum(finding["severity"] == "warning" for finding in findings)
    anchor = TITLE.lower().replace(" ", "-")
    text = f"**{count} warning{'s' * (count != 1)} about these attacks: see [{TITLE}](#{anchor}).**"
    return text if count else ""
