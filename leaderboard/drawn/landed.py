"""Rates of images at n and α that they were made for, beside those at others: a table a target and ε."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.board import fullest
from leaderboard.drawn.markup import escape, table
from leaderboard.drawn.numbers import NONE, interval, percent
from leaderboard.row import Row
from leaderboard.sources import MARKS, landed_for
from leaderboard.stored.source import LANDED_FOR

Deployment = tuple[int, float, int]
"""n, alpha and seed."""

EXPLANATION = f"""\
Each line is one run of an attack, which made its images for the settings in the second column; each further column is
PREDICT on these same images, with fresh noise. **{MARKS["re-evaluated"]}** marks images that landed for another n, α or
seed than that of the column: nobody attacked for it. An attack that knows the column's n may do better there, as a line
of its own shows where it was run. Ceilings and clean rates are those of each column."""


@dataclass(frozen=True)
class LandedTable:
    """One table: a title, headers and lines of text, ready for Markdown or the terminal."""

    title: str
    headers: list[str]
    lines: list[list[str]]


def landed_tables(rows: Sequence[Row]) -> list[LandedTable]:
    """A table for each suite, target, image set and ε with a re-evaluated row; of its attacks, and of no others."""
    groups: dict[tuple[str, str, int, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["suite"], row["target"], row["of_images"], row["epsilon"]), []).append(row)
    return [_table(group) for _, group in sorted(groups.items()) if any(LANDED_FOR in row for row in group)]


def _table(rows: Sequence[Row]) -> LandedTable:
    again = [row for row in rows if LANDED_FOR in row]
    runs = {_run(row) for row in again}
    attacks = {(row["attack"], row["query_budget"]) for row in again}
    shown = [row for row in rows if _run(row) in runs or (LANDED_FOR not in row and _name(row) in attacks)]
    deployments = sorted({_deployment(row) for row in shown})
    cells = {(_run(row), _deployment(row)): row for row in shown}
    lines = []
    for run in sorted({_run(row) for row in shown}, key=lambda run: (run[0], run[1] or 0, run[2])):
        found = [cells.get((run, deployment)) for deployment in deployments]
        attack, budget, made_for = run
        name = attack if budget is None else f"{attack} (≤ {budget:,} queries)"
        lines.append([name, _said(made_for), *(_rate(row) for row in found)])
    columns = [fullest(row for row in rows if _deployment(row) == deployment) for deployment in deployments]
    lines.append(["clean rate", "", *(percent(row and row["clean_abstention_rate"]) for row in columns)])
    lines.append(["ceiling", "", *(percent(row and row["ceiling"]) for row in columns)])
    first = rows[0]
    title = f"{first['suite']}, {first['target']}, ε = {first['epsilon']}, {first['of_images']:,} images"
    return LandedTable(title, ["attack", "landed for", *map(_said, deployments)], lines)


def _rate(row: Row | None) -> str:
    if row is None:
        return NONE
    return interval(row) + (MARKS["re-evaluated"] if LANDED_FOR in row else "")


def _name(row: Row) -> tuple[str, int | None]:
    return row["attack"], row["query_budget"]


def _run(row: Row) -> tuple[str, int | None, Deployment]:
    return *_name(row), landed_for(row)


def _deployment(row: Row) -> Deployment:
    return row["n"], row["alpha"], row["seed"]


def _said(deployment: Deployment) -> str:
    n, alpha, seed = deployment
    return f"n = {n:,}, α = {alpha:g}" + (f", seed {seed}" if seed else "")


def landed_section(rows: Sequence[Row]) -> list[str]:
    """The part of the page about images that were scored again; nothing where none were."""
    tables = landed_tables(rows)
    if not tables:
        return []
    parts = ["## Landed for this n, and for another", EXPLANATION]
    for one in tables:
        lines = [[escape(line[0]), *line[1:]] for line in one.lines]
        parts += [f"### {escape(one.title)}", table(one.headers, lines, text_columns=2)]
    return parts


def landed_text(rows: Sequence[Row]) -> str:
    """The same tables for the terminal; empty where there is none."""
    from tabulate import tabulate

    blocks = []
    for one in landed_tables(rows):
        align = ["left", "left", *["right"] * (len(one.headers) - 2)]
        grid = tabulate(one.lines, one.headers, tablefmt="simple", disable_numparse=True, colalign=align)
        blocks.append(f"{one.title}\n{grid}")
    if blocks:
        blocks.append(f"{MARKS['re-evaluated']}: images that landed for another n, α or seed than the column's")
    return "\n\n".join(blocks)
