"""The page: one file that needs no other, and no network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from leaderboard.access import CONTROL, spoken
from leaderboard.board import is_best_of
from leaderboard.curves import Panel
from leaderboard.drawn.groups import conditions
from leaderboard.drawn.landed import landed_tables
from leaderboard.drawn.numbers import duration, number, percent
from leaderboard.html.charts import over_epsilon, over_n, over_queries
from leaderboard.html.columns import ALL, MAIN, MORE, filters, packed, row_id
from leaderboard.html.defended import defended
from leaderboard.html.details import Details, identity
from leaderboard.html.overview import is_vacuous, overview
from leaderboard.row import Row
from leaderboard.sources import attacked

INDEX = "index.html"
_FOLDER = Path(__file__).parent
_SCRIPTS = ("dom.js", "statistics.js", "outcomes.js", "table.js", "compare.js", "charts.js", "page.js")
"""In the order that they run in."""


def html(content: Mapping[str, Any], details: Details | None = None) -> str:
    """The page of a board.

    Args:
        content: what `leaderboard.json` holds, see `leaderboard.publishing.contents.SCHEMA_VERSION`; of earlier
            versions too.
        details: what rows open to beside what is in them; None where there are no records.
    """
    rows: Sequence[Row] = [complete(row) for row in content["rows"]]
    by_epsilon: Sequence[Panel] = content["curves"]["epsilon"]
    by_queries: Sequence[Panel] = content["curves"]["queries"]
    details = details or Details()
    made_for = attacked(rows)
    glance = overview(made_for or rows)
    ids = [row_id(row) for row in rows]
    own = [details.rows.get(identity(row), {}) for row in rows]
    shown = glance.rows[0]
    data = {
        "table": packed(rows),
        "ids": ids,
        "main": [column.key for column in MAIN],
        "columns": {
            column.key: {"title": column.title, "kind": column.kind, "digits": column.digits} for column in MAIN + MORE
        },
        "defaults": {"epsilon": f"{shown['epsilon']:.15g}"},
        "details": own,
        "sets": details.sets,
        "facts": details.facts,
        "originals": details.originals,
    }
    return render(
        "board.html.j2",
        content=content,
        rows=rows,
        ids=ids,
        glance=glance,
        defended=defended(content),
        landed=landed_tables(rows),
        main=MAIN,
        more=MORE,
        filters=filters(rows),
        defaults=data["defaults"],
        charts=[
            ("epsilon", "Abstention against ε", over_epsilon(by_epsilon)),
            ("queries", "Abstention against queries", over_queries(by_queries)),
            ("samples", "Abstention against n", over_n(made_for)),
        ],
        sources=[_source(row, mine, details) for row, mine in zip(rows, own, strict=True)],
        data=data,
    )


def complete(row: Row) -> Row:
    """A row of an earlier version, with what newer ones have."""
    whole: dict[str, Any] = {"query_budget": None, "of_images": row["images"], **row}
    return whole  # type: ignore[return-value]


def _source(row: Row, own: Mapping[str, Any], details: Details) -> str:
    """Where a row comes from; of boards that do not say so, as far as its cells tell."""
    is_adopted = bool(own) and bool(details.facts[own["facts"]]["adopted"])
    return row.get("source") or ("adopted" if is_adopted else "computed")


def render(template: str, **values: Any) -> str:
    """A template of this folder, with every value escaped; the style sheet and the scripts are in it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from jinja2.utils import htmlsafe_json_dumps
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"percent": percent, "number": number, "duration": duration, "spoken": spoken}
    dumps = partial(json.dumps, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    scripts = [(_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    return environment.get_template(template).render(
        values,
        ALL=ALL,
        CONTROL=CONTROL,
        conditions=conditions,
        is_best_of=is_best_of,
        is_vacuous=is_vacuous,
        json=partial(htmlsafe_json_dumps, dumps=dumps),
        # They are this package's, and no value of a board is in them.
        style=Markup(style),
        script=Markup("\n".join(scripts)),
    )
