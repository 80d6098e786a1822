"""The curves as a section of the Markdown page: pictures, how to read them, and the numbers of the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leaderboard.access import CONTROL, ordered
from leaderboard.board import is_best_of
from leaderboard.curves import Panel, Point, emphasised
from leaderboard.drawn.groups import conditions
from leaderboard.drawn.markup import escape, table
from leaderboard.drawn.numbers import NONE, number, percent

_AGAINST_EPSILON = """\
Each curve is the abstention rate of one attack against the attacker's budget ε. At ε = 0 only the original image can
be sent, so every curve starts at the clean rate. A rate can exceed the certified ceiling only by sampling. Between
the best curve and the ceiling nothing is known: no attack here gets there, and no proof excludes it. Thick: the best
attack of each access with its 95% interval (`best-of` where it was run). Straight lines join what was measured or
proven. Between these points only the hatched region is proven out of reach, as a ceiling holds for every smaller ε.
An attack with several query budgets is drawn with one of them (≤ in the table): the one that was run at the most
values of ε, of several the largest. Failed and partial rows are left out.
"""

_AGAINST_QUERIES = """\
The abstention rate at a fixed ε against the query budget, the most queries that an attack may make per image, on a
logarithmic scale. The ceiling does not depend on queries. `best-of` is left out, as it spends the sum of its members'
budgets.
"""


def section(
    epsilon_panels: Sequence[Panel], query_panels: Sequence[Panel], epsilon_picture: str, query_picture: str
) -> list[str]:
    """The parts of the section, with the address of each picture; none without panels."""
    if not epsilon_panels and not query_panels:
        return []
    parts = ["## Curves"]
    if epsilon_panels:
        parts += [f"![Abstention against ε on every target, below the certified ceiling]({epsilon_picture})"]
        parts += [_AGAINST_EPSILON, *(_by_epsilon(panel) for panel in epsilon_panels)]
    if query_panels:
        parts += [f"![Abstention against queries on every target, below the certified ceiling]({query_picture})"]
        parts += [_AGAINST_QUERIES, *_by_queries(query_panels)]
    return parts


def _conditions(panel: Panel, *names: str) -> str:
    return escape(", ".join([panel["suite"], *names, conditions(panel)]))


def _title(panel: Panel) -> str:
    return f"{_conditions(panel)}, {panel['images']:,} images"


def _by_epsilon(panel: Panel) -> str:
    """One target's table: at each ε the best attack of each access."""
    accesses = ordered({curve["access"] for curve in panel["curves"]} - {CONTROL})
    ceilings = {proof["epsilon"]: proof["ceiling"] for proof in panel["ceiling"]}
    lines = []
    for epsilon in sorted(ceilings):
        there = {
            (curve["attack"], curve["access"]): point
            for curve in panel["curves"]
            for point in curve["points"]
            if point["epsilon"] == epsilon
        }
        best = [_best({name: point for (name, of), point in there.items() if of == access}) for access in accesses]
        shares = [point["share_of_ceiling"] for point in there.values() if point["share_of_ceiling"] is not None]
        lines.append([f"{epsilon:g}", *best, percent(ceilings[epsilon]), percent(max(shares, default=None))])
    headers = ["ε", *(escape(access) for access in accesses), "ceiling", "highest share"]
    clean = f"clean {percent(panel['clean_abstention_rate'])}, {panel['images']:,} images"
    return f"**{_conditions(panel, panel['target'])}**: {clean}\n\n" + table(headers, lines, 1 + len(accesses))


def _best(points: Mapping[str, Point]) -> str:
    """ "54.0% zoo ≤ 30 (best-of 58.0%)": the highest single attack, its query budget, best-of if there is one."""
    singles = {name: point["abstention_rate"] for name, point in points.items() if not is_best_of(name)}
    together = [percent(point["abstention_rate"]) for name, point in points.items() if is_best_of(name)]
    parts = []
    if singles:
        name = max(singles, key=lambda name: singles[name])  # of equals the one that is stronger over all ε
        parts.append(f"{percent(singles[name])} {escape(name)}")
        if (budget := points[name]["query_budget"]) is not None:
            parts.append(f"≤ {number(budget)}")
    parts += [f"(best-of {rate})" for rate in together]
    return " ".join(parts) or NONE


def _by_queries(panels: Sequence[Panel]) -> list[str]:
    """One table a suite, n, alpha, seed and image set: the best attack of each access, by budget."""
    parts = []
    for name in dict.fromkeys(map(_title, panels)):
        group = [panel for panel in panels if _title(panel) == name]
        curves = [(panel, curve) for panel in group for curve in emphasised(panel)]
        budgets = sorted({p["query_budget"] or 0 for panel in group for c in panel["curves"] for p in c["points"]})
        lines = []
        for panel, curve in curves:
            rates = {point["query_budget"]: percent(point["abstention_rate"]) for point in curve["points"]}
            texts = [escape(panel["target"]), str(panel["epsilon"]), escape(curve["access"]), escape(curve["attack"])]
            share = percent(curve["points"][-1]["share_of_ceiling"])
            ceiling = percent(panel["ceiling"][0]["ceiling"]) if panel["ceiling"] else NONE
            clean = percent(panel["clean_abstention_rate"])
            lines.append([*texts, clean, *(rates.get(budget, NONE) for budget in budgets), ceiling, share])
        headers = ["target", "ε", "access", "best attack", "clean", *(f"≤ {number(budget)}" for budget in budgets)]
        parts.append(f"**{name}**\n\n" + table([*headers, "ceiling", "share"], lines, 4))
    return parts
