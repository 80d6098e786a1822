"""Where the rows of the page come from: commands, machines and records, and what was left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from leaderboard.board import is_best_of
from leaderboard.drawn.groups import DEPLOYMENT, conditions, together
from leaderboard.drawn.markup import code, escape
from leaderboard.drawn.numbers import duration
from leaderboard.drawn.reading import COMPUTED
from leaderboard.machines import Machine
from leaderboard.row import Row
from leaderboard.stored.archive import RECORDS
from leaderboard.stored.cell import Damage


def computed(machines: Sequence[Machine], rows: Sequence[Row]) -> str:
    """A line for each command and machine, and how much of each suite the rows are of."""
    lines = []
    for machine in machines:
        threads = f", {machine['threads']} thread{'s' * (machine['threads'] > 1)}" if machine["threads"] else ""
        facts = [f"torch {machine['torch']}"] if machine["torch"] else []
        facts += [f"Python {machine['python']}"] if machine["python"] else []
        facts += [f"commit {', '.join(map(code, machine['commits']))}"] if machine["commits"] else []
        lines.append(
            f"- `{machine['command']}`: {machine['cells']:,} cells"
            f"{', adopted from a published board, computed' if machine['adopted'] else ''}"
            f" in {duration(machine['seconds'])} on"
            f" {escape(machine['device'] or 'a machine that was not recorded')}{threads}"
            + (f" ({', '.join(facts)})" if facts else "")
        )
    if not lines:
        return ""
    extents = " ".join(map(_extent, together(rows, *DEPLOYMENT)))
    evidence = f"Rows and curves are computed from [{RECORDS}]({RECORDS}), which has one record per image."
    return "\n".join([COMPUTED, "", *lines, "", f"{extents} {evidence}"])


def _extent(rows: Sequence[Row]) -> str:
    """How much of a suite was run at one n, alpha and seed: whether every attack on every target at every ε."""
    ran = {(row["target"], row["attack"], row["epsilon"]) for row in rows if not is_best_of(row["attack"])}
    targets, attacks, epsilons = ({place[axis] for place in ran} for axis in range(3))
    whole = len(targets) * len(attacks) * len(epsilons)
    parts = [_count(targets, "target"), _count(attacks, "attack"), f"{len(epsilons)} ε"]
    images = ", ".join(str(n) for n in sorted({row["images"] for row in rows} - {0}))
    text = f"The rows of {escape(rows[0]['suite'])} at {conditions(rows[0])} are of {', '.join(parts)}, {images} images"
    text += f"; {len(ran):,} of the {whole:,} combinations were run." if len(ran) < whole else "."
    samples = ", ".join(f"{n:,}" for n in sorted({row["ceiling_samples"] or 0 for row in rows} - {0}))
    most = max(row["ceiling_samples_max"] for row in rows)
    more = f", and on up to {most:,} where more may decide" if most else ""
    proofs = f" Ceilings rest on {samples} noise samples per image{more}." if samples else ""
    return text + proofs + _guarantee(rows)


def _guarantee(rows: Sequence[Row]) -> str:
    """With which probability the ceilings of these rows hold: one alone, and all of a row at once."""
    found: dict[tuple[float, int], set[str]] = defaultdict(set)
    for row in rows:
        if row["ceiling_error"] is not None:
            found[row["ceiling_error"], row["images"]].add(escape(row["target"]))
    parts = []
    for (error, images), targets in sorted(found.items()):
        one, all_of_them = (f"{100 * (1 - e):.6g}%" for e in (error / images, error))
        part = f"each with {one}, all {images:,} of a row at once with {all_of_them}"
        parts.append(f"{part} ({', '.join(sorted(targets))})" if len(found) > 1 else part)
    return f" The ceilings hold at least with these probabilities: {'; '.join(parts)}." if parts else ""


def _count(things: Collection[object], name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def damaged(cells: Sequence[Damage]) -> str:
    """A list of the cells that are left out since their files are damaged; empty without any."""
    if not cells:
        return ""
    text = f"**Left out: {len(cells):,} cells whose files are not what a run wrote.** They count as not run:"
    return "\n".join([text, "", *(f"- {escape(str(cell))}" for cell in cells)])


def superseded(rows: Sequence[Row]) -> str:
    """How many stored cells the rows leave out for newer ones; empty where none."""
    count = sum(row["superseded_cells"] for row in rows)
    return f"Left out: {count:,} stored cells that cells of newer settings replace." if count else ""


def outdated(count: int) -> str:
    """How many stored cells are of earlier images or labels, see `leaderboard.variants.outdated`; empty where none."""
    return f"Left out: {count:,} stored cells on other images or labels than the newest." if count else ""


def surrogates(rows: Sequence[Row]) -> str:
    """Where the surrogates of transfer and hybrid rows were trained; those of other machines differ beyond rounding."""
    origins: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        if found := row.get("surrogates"):
            origins["; ".join(found)][row["attack"]] = None
    lines = [f"- {escape(origin)}: {', '.join(map(escape, attacks))}" for origin, attacks in origins.items()]
    return "\n".join(["Surrogates, by where they were trained:", "", *lines]) if lines else ""
