"""The published board: a Markdown and a web page, pictures, the rows as JSON, and the records behind them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path

from leaderboard.audit import audit
from leaderboard.availability import standings
from leaderboard.availability_by_n import by_n
from leaderboard.board import measured
from leaderboard.checks import check
from leaderboard.curves import epsilon_panels, query_panels
from leaderboard.drawn import availability_picture, availability_tables, by_n_picture, by_n_table, sequential_tables
from leaderboard.drawn.curve_picture import epsilon_svg, query_svg
from leaderboard.drawn.curve_tables import section
from leaderboard.drawn.landed import landed_section
from leaderboard.drawn.markdown import markdown
from leaderboard.drawn.picture import svg
from leaderboard.errors import StoreError
from leaderboard.html.details import details
from leaderboard.html.page import INDEX, html
from leaderboard.html.strip import Strips
from leaderboard.machines import Asked, machines
from leaderboard.sequential import costs
from leaderboard.sources import attacked
from leaderboard.stored import atomic, board_file, sequential, unfinished
from leaderboard.stored.archive import RECORDS, keys
from leaderboard.stored.archive_writer import write_archive
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.files import read_json
from leaderboard.stored.store import FIRST_RUN, MARK, PROJECT, Store
from leaderboard.variants import counted_in, outdated, variants

SCHEMA_VERSION = board_file.SCHEMA_VERSION
"""Of `leaderboard.json`, an object with these keys:

- schema_version, project, version, commit, created (ISO 8601): of this file and of the program that wrote it;
- machines: the machines that computed the rows, see `leaderboard.machines.Machine`;
- rows: see `leaderboard.row.Row`; since version 2 with query_budget and inside_radius, since 3 with of_images, the
  size of the image set that a row is of, and with observed where something was; since 4 with source, where a row comes
  from, and with submitted or landed_for where it is submitted or re-evaluated: rows that are equal in everything else
  that names a row differ in landed_for. Since 4 mcnemar_p pairs with the clean row and not with the clean columns, and
  there are mcnemar_against, mcnemar_holm, net_share with its interval, and vacuous: see `leaderboard.evidence`;
- checks: since version 3, what the rows say of the attacks, a list of `leaderboard.checks.finding.Finding`;
- curves: {"epsilon": [...], "queries": [...]}, both lists of `leaderboard.curves.Panel`: one target's clean rate,
  ceiling and curves, each a list of points. Against ε there is a panel a target with two or more ε, and every curve
  has a point at ε = 0, the clean rate; against queries one a target and ε at which an attack has two or more budgets;
- standings: since version 4, the defender's side: each target at each ε, a list of `leaderboard.availability.Standing`;
- availability_by_n: since version 4, the standings of a target at several n, a list of
  `leaderboard.availability_by_n.ByN`; not in boards that were written before it was known;
- sequential: what rows cost at the sequential predictor, a list of `leaderboard.sequential.Cost`; only where that was
  measured, with the file of `leaderboard.stored.sequential` beside it;
- audit: of every image in the results folder, also of rows that are not shown, see `leaderboard.audit.Audit`;
- damaged: since version 3, the cells that are left out as damaged, see `leaderboard.stored.cell.Damage`.

Rates are in [0, 1], ε and norms in [0, 1] pixel units, null stands for what is not defined.
"""

_PAGE, _DATA, _BOARD, _STANDINGS = "LEADERBOARD.md", "leaderboard.json", "board.svg", "standings.svg"
_EPSILON, _QUERIES, _BY_N = "curves-epsilon.svg", "curves-queries.svg", "availability-n.svg"


def publish(
    store: Store,
    output: Path,
    *,
    commit: str,
    version: str,
    created: str,
    command: Callable[[Asked], str],
    suites: Collection[str] | None = None,
    force: bool = False,
) -> list[Path]:
    """Write LEADERBOARD.md, index.html, leaderboard.json, records.parquet, board.svg and any curves into `output`.

    Curves against ε need two ε of one target, curves against queries two budgets of one attack. If the earlier board in
    `output` had a picture of curves that this one lacks, it is removed. The same store, `commit`, `version` and
    `created` (ISO 8601) give the same bytes.

    Args:
        command: the command line for what a run asked for.
        suites: write only the rows of these suites.
        force: replace another board in `output`. Without it the board is written only where there is none, or where
            all cells of the one in `output` are among these.

    Returns the files' paths. Raises StoreError where the store holds no cell, another board is in `output`, or it
    cannot be written.
    """
    everything, damaged = store.survey()
    damaged = [cell for cell in damaged if suites is None or cell.suite is None or cell.suite in suites]
    cells = [cell for cell in everything if suites is None or cell.settings["suite"] in suites]
    counting = variants(cells)
    found = measured(store, counting)
    every_row = [row for row, _ in found]
    rows = attacked(every_row)  # the re-evaluated ones have tables of their own, and no part in checks and curves
    if not rows:
        raise StoreError(f"no results in {store.folder}: {FIRST_RUN}")
    by_epsilon, by_queries = epsilon_panels(rows), query_panels(rows)
    soundness, findings = audit(store, everything), check(rows)
    defended = standings(found)
    defended_by_n = by_n(defended)
    drawn = sequential.of_cells(sequential.readable(store.folder), cells)
    slowed = costs(counting, drawn)
    counted = {cell.key: cell for variant in counting for cell in variant.cells}
    ran_on = machines(counted.values(), command)
    content = {
        "schema_version": SCHEMA_VERSION,
        "project": PROJECT,
        "version": version,
        "commit": commit,
        "created": created,
        "machines": ran_on,
        "rows": every_row,
        "checks": findings,
        "curves": {"epsilon": by_epsilon, "queries": by_queries},
        "standings": defended,
        "availability_by_n": defended_by_n,
        **({"sequential": slowed} if slowed else {}),
        "audit": soundness,
        "damaged": [asdict(cell) for cell in damaged],
    }
    page = markdown(
        rows,
        audit=soundness,
        checks=findings,
        damaged=damaged,
        curves=[*section(by_epsilon, by_queries, _EPSILON, _QUERIES), *landed_section(every_row)],
        standings=[
            *availability_tables.section(defended, _STANDINGS),
            *sequential_tables.section(defended, slowed),
            *by_n_table.section(defended_by_n, _BY_N),
        ],
        machines=ran_on,
        commit=commit,
        version=version,
        created=created,
        picture=_BOARD,
        outdated=len(outdated(cells)),
    )
    files = {
        _PAGE: page.encode(),
        _DATA: (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(),
        _BOARD: svg(rows).encode(),
        INDEX: html(content, details(counting, store.columns, command, Strips(store, counting))).encode(),
    }
    if standing := availability_picture.svg(defended):
        files[_STANDINGS] = standing.encode()
    if bought := by_n_picture.svg(defended_by_n):
        files[_BY_N] = bought.encode()
    if by_epsilon:
        files[_EPSILON] = epsilon_svg(by_epsilon).encode()
    if by_queries:
        files[_QUERIES] = query_svg(by_queries).encode()
    left = _left(output)
    if (output / MARK).exists():
        left.discard(sequential.NAME)  # a results folder's own measurements stay
    elif slowed:
        files[sequential.NAME] = sequential.to_json(drawn)
    names = [_PAGE, _DATA, RECORDS, *(name for name in files if name not in (_PAGE, _DATA))]
    if not force and (reason := _is_another(store, cells, output, [*names, *left])):
        raise StoreError(f"{output} {reason}; --force replaces it, another --output leaves it")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write into {output}: it is not a folder, choose another one") from error
    with unfinished.together(output):
        for name in left - files.keys():
            (output / name).unlink(missing_ok=True)
        with atomic.writing(output / RECORDS) as file:  # by far the largest: first, in case there is no room for it
            write_archive(file, store, cells, counted_in(counting))
        for name, data in files.items():
            atomic.write(output / name, data)
    return [output / name for name in names]


def _left(output: Path) -> set[str]:
    """The names of the files that not every board has, of the board in `output`, if there is one."""
    try:
        board = read_json(output / _DATA)
        curves = board["curves"]
        left = {name for name, of in ((_EPSILON, "epsilon"), (_QUERIES, "queries")) if curves[of]}
        left |= {_STANDINGS} if board.get("standings") else set()
        left |= {sequential.NAME} if board.get("sequential") else set()
        return left | {_BY_N} if board.get("availability_by_n") else left
    except (OSError, ValueError, TypeError, KeyError):  # none of ours
        return set()


def _is_another(store: Store, cells: Collection[StoredCell], output: Path, names: Collection[str]) -> str | None:
    """Why `output` holds something else than an earlier board of these cells; None if it does not."""
    if not any((output / name).exists() for name in names):
        return None
    if (output / MARK).exists():
        is_own = output.resolve() == store.folder.resolve()
        return None if is_own else "is another results folder, with a board of its own"
    held = keys(output / RECORDS)
    if held is None:
        return "holds files of these names that are no board with records of ours"
    lacking = held - {cell.key for cell in cells}
    return f"holds another board, with {len(lacking)} cells that this one is without" if lacking else None
