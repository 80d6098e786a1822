"""The defender's side on the page: which target keeps answering, and what n buys."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leaderboard.availability import Standing
from leaderboard.availability_by_n import ByN
from leaderboard.drawn import availability_picture, by_n_picture, by_n_table
from leaderboard.drawn.availability_tables import Grid, by_access, by_table, ranking, title
from leaderboard.drawn.sequential_tables import costliest, most_by_access
from leaderboard.drawn.sequential_tables import title as predictor_title
from leaderboard.sequential import Cost
from leaderboard.sequential import tables as cost_tables


@dataclass(frozen=True)
class Defended:
    """What the section shows. Pictures are addresses that hold their SVG; None where there is nothing to draw.

    Attributes:
        tables: of each ε and n the title, the targets by rank, and the attacks of each access.
        costs: of each ε, n and setting of the sequential predictor the title, what targets cost there, and the most of
            each access; none where that was not measured.
        by_n: by title, a table of each target that has several n.
    """

    picture: str | None
    tables: list[tuple[str, Grid, Grid]]
    costs: list[tuple[str, Grid, Grid]]
    by_n_picture: str | None
    by_n: list[tuple[str, Grid]]


def defended(content: Mapping[str, Any]) -> Defended:
    """The defender's side of a board.

    Args:
        content: what `leaderboard.json` holds; boards of earlier versions have no standings.
    """
    standings: list[Standing] = content.get("standings", [])
    measured: list[Cost] = content.get("sequential", [])
    series: list[ByN] = content.get("availability_by_n", [])
    return Defended(
        picture=_address(availability_picture.svg(standings)),
        tables=[(title(group[0]), ranking(group), by_access(group)) for group in by_table(standings)],
        costs=[(predictor_title(one), costliest(one), most_by_access(one)) for one in cost_tables(standings, measured)],
        by_n_picture=_address(by_n_picture.svg(series)),
        by_n=[(by_n_table.title(one), by_n_table.grid(one)) for one in series],
    )


def _address(svg: str | None) -> str | None:
    # As an image, since its style sheet would change the page's.
    return svg and f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
