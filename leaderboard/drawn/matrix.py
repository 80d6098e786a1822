"""A suite on one screen, as `run` ends with it: attacks by targets, at one ε."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import takewhile

from leaderboard.access import CONTROL, ordered, spoken
from leaderboard.board import at_common_budget, by_strength, fullest, is_best_of
from leaderboard.drawn.groups import DEPLOYMENT, conditions, image_set, together
from leaderboard.drawn.picture import telling_epsilon
from leaderboard.row import Row
from leaderboard.sources import legend, mark

BOLD, PLAIN = "\033[1m", "\033[0m"
NAMES, CELL = 26, 15
"""Characters: of the column of names, and of one with rates and the space before it."""

_BLANK = "\u2800"


def matrices(rows: Sequence[Row], marks: Collection[tuple[str, str]] = (), bold: bool = False, width: int = 100) -> str:
    """A matrix for each suite, n, α, seed and image set of these rows; empty without rows.

    Args:
        marks: (target, attack) of the rows that were computed just now; they get a "+".
        bold: whether the highest rate of each access on each target is printed bold, for a terminal that can.
        width: of the screen, in characters. Targets that do not fit side by side go into a block below.
    """
    return "\n\n".join(_matrix(group, marks, bold, width) for group in together(rows, *DEPLOYMENT))


def _matrix(rows: Sequence[Row], marks: Collection[tuple[str, str]], bold: bool, width: int) -> str:
    epsilon = telling_epsilon(rows)
    at = at_common_budget(row for row in rows if row["epsilon"] == epsilon)
    others = sorted({row["epsilon"] for row in rows} - {epsilon})
    title = f"{at[0]['suite']} · abstention in % [95% interval] at ε = {epsilon}"
    title += f" · {conditions(at[0])} · {image_set(at[0])}"
    if others:
        title += f" (other ε: {', '.join(map(str, others))})"
    targets = list(dict.fromkeys(row["target"] for row in at))
    begin, end = _shared_ends(targets)
    headers = {target: target[len(begin) : len(target) - len(end)] for target in targets}
    columns = max(1, (width - NAMES) // max(CELL, 2 + max(map(len, headers.values()))))
    corner = f"{begin}…{end}" if begin or end else ""
    blocks = [
        _block(at, {target: headers[target] for target in targets[i : i + columns]}, corner, marks, bold)
        for i in range(0, len(targets), columns)
    ]
    meanings = legend(at)
    return "\n\n".join([title, *blocks, *_failures(rows), *(["\n".join(meanings)] if meanings else [])])


def _failures(rows: Sequence[Row]) -> list[str]:
    """A line for each attack that failed at any ε and its error; empty where none did."""
    count = Counter((row["attack"], row["error"]) for row in rows if row["status"] == "failed")
    lines = [f"{attack} failed: {error}" + f" ({n} rows)" * (n > 1) for (attack, error), n in count.items()]
    return ["\n".join(lines)] if lines else []


def _block(
    rows: Sequence[Row], names: dict[str, str], corner: str, marks: Collection[tuple[str, str]], bold: bool
) -> str:
    """Some targets side by side, under the ``names`` that stand for them."""
    from tabulate import tabulate

    targets, headers = list(names), [corner, *names.values()]
    cells = {(row["attack"], row["target"]): row for row in rows}
    access = {row["attack"]: row["access"] for row in rows}
    strongest = by_strength(rows)
    lines: list[list[str]] = []
    for kind in ordered(access.values()):
        lines.append([spoken(kind), *[""] * len(targets)])
        best = {target: _best(rows, kind, target) for target in targets}
        for attack in (name for name in strongest if access[name] == kind):
            texts = [_cell(cells.get((attack, target)), best[target], marks, bold) for target in targets]
            lines.append([f"  {attack}{mark(row for row in rows if row['attack'] == attack)}", *texts])
    shared = [fullest(row for row in rows if row["target"] == target) for target in targets]
    ceilings = ["" if row is None or row["ceiling"] is None else f"{100 * row['ceiling']:.1f}" for row in shared]
    lines.append(["upper bound", *ceilings])
    align = ["left", *["right"] * len(targets)]
    # tabulate would take the names' indentation for padding.
    kept = [[line[0].replace(" ", _BLANK), *line[1:]] for line in lines]
    text: str = tabulate(kept, headers, tablefmt="simple", disable_numparse=True, colalign=align)
    return text.replace(_BLANK, " ")


def _cell(row: Row | None, best: float, marks: Collection[tuple[str, str]], bold: bool) -> str:
    if row is None:
        return ""
    mark = "+" if (row["target"], row["attack"]) in marks else ""
    rate, low, high = row["abstention_rate"], row["abstention_low"], row["abstention_high"]
    if rate is None or low is None or high is None:
        return f"{mark}{row['status']}"
    text = f"{mark}{100 * rate:.1f}{'*' if row['status'] == 'partial' else ''} [{100 * low:.0f}, {100 * high:.0f}]"
    return f"{BOLD}{text}{PLAIN}" if bold and rate == best > 0 else text


def _best(rows: Sequence[Row], kind: str, target: str) -> float:
    """The highest rate of an access on a target, of the rows that compete; 0 for the controls, which do not."""
    if kind == CONTROL:
        return 0.0
    return max(
        (
            row["abstention_rate"] or 0.0
            for row in rows
            if row["access"] == kind and row["target"] == target and row["status"] == "ok"
            if not is_best_of(row["attack"])
        ),
        default=0.0,
    )


def _shared_ends(targets: Sequence[str]) -> tuple[str, str]:
    """What all names begin and end with, up to a hyphen, which columns need not repeat; empty for a single name."""
    if len(targets) < 2:
        return "", ""
    begin = _common(targets)
    begin = begin[: begin.rfind("-") + 1]
    end = _common([target[len(begin) :][::-1] for target in targets])[::-1]
    return begin, end[end.find("-") :] if "-" in end else ""


def _common(names: Sequence[str]) -> str:
    """What all begin with."""
    return "".join(letters[0] for letters in takewhile(lambda found: len(set(found)) == 1, zip(*names, strict=False)))
