"""Writes a published board: a Markdown and a web page, pictures, the rows as JSON, and the records behind them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path

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
from leaderboard.machines import Asked
from leaderboard.publishing.contents import Contents
from leaderboard.publishing.earlier import is_another, occasional
from leaderboard.publishing.names import BOARD, BY_N, DATA, EPSILON, PAGE, QUERIES, STANDINGS
from leaderboard.sources import attacked
from leaderboard.stored import atomic, sequential, unfinished
from leaderboard.stored.archive import RECORDS
from leaderboard.stored.archive_writer import write_archive
from leaderboard.stored.store import MARK, Store
from leaderboard.variants import counted_in, outdated


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
    contents = Contents.of(store, suites, command)
    says = contents.to_dict(commit=commit, version=version, created=created)
    strips = Strips(store, contents.counting)
    files = {
        PAGE: _page(contents, commit=commit, version=version, created=created),
        DATA: json.dumps(says, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        **_pictures(contents),
        INDEX: html(says, details(contents.counting, store.columns, command, strips)),
    }
    stale = occasional(output) - files.keys()
    if (output / MARK).exists():
        stale.discard(sequential.NAME)  # a results folder's own measurements stay
    elif contents.sequential:
        files[sequential.NAME] = sequential.to_json(contents.drawn).decode()
        stale.discard(sequential.NAME)
    names = [PAGE, DATA, RECORDS, *(name for name in files if name not in (PAGE, DATA))]
    if not force and (reason := is_another(store, contents.cells, output, [*names, *stale])):
        raise StoreError(f"{output} {reason}; --force replaces it, another --output leaves it")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write into {output}: it is not a folder, choose another one") from error
    with unfinished.together(output):
        for name in stale:
            (output / name).unlink(missing_ok=True)
        with atomic.writing(output / RECORDS) as file:  # by far the largest: first, in case there is no room for it
            write_archive(file, store, contents.cells, counted_in(contents.counting))
        for name, text in files.items():
            atomic.write(output / name, text.encode())
    return [output / name for name in names]


def _page(contents: Contents, *, commit: str, version: str, created: str) -> str:
    """The Markdown page."""
    curves = section(contents.epsilon_panels, contents.query_panels, EPSILON, QUERIES)
    return markdown(
        attacked(contents.rows),
        audit=contents.audit,
        checks=contents.checks,
        damaged=contents.damaged,
        curves=[*curves, *landed_section(contents.rows)],
        standings=[
            *availability_tables.section(contents.standings, STANDINGS),
            *sequential_tables.section(contents.standings, contents.sequential),
            *by_n_table.section(contents.availability_by_n, BY_N),
        ],
        machines=contents.machines,
        commit=commit,
        version=version,
        created=created,
        picture=BOARD,
        outdated=len(outdated(contents.cells)),
    )


def _pictures(contents: Contents) -> dict[str, str]:
    """The pictures by name; all but the first only where there is something to draw."""
    pictures = {
        BOARD: svg(attacked(contents.rows)),
        STANDINGS: availability_picture.svg(contents.standings),
        BY_N: by_n_picture.svg(contents.availability_by_n),
        EPSILON: epsilon_svg(contents.epsilon_panels) if contents.epsilon_panels else None,
        QUERIES: query_svg(contents.query_panels) if contents.query_panels else None,
    }
    return {name: picture for name, picture in pictures.items() if picture}
