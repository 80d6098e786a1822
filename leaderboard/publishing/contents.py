"""What a published board says, computed from a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from leaderboard.audit import Audit, audit
from leaderboard.availability import Standing, standings
from leaderboard.availability_by_n import ByN, by_n
from leaderboard.board import measured
from leaderboard.checks import check
from leaderboard.checks.finding import Finding
from leaderboard.curves import Panel, epsilon_panels, query_panels
from leaderboard.errors import StoreError
from leaderboard.machines import Asked, Machine, machines
from leaderboard.row import Row
from leaderboard.sequential import Cost, costs
from leaderboard.sources import attacked
from leaderboard.stored import board_file, sequential
from leaderboard.stored.cell import Damage, StoredCell
from leaderboard.stored.store import FIRST_RUN, PROJECT, Store
from leaderboard.variants import Variant, variants

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


@dataclass(frozen=True)
class Contents:
    """What a board says; see `SCHEMA_VERSION`.

    Attributes:
        cells: all that were asked for, of which some are outdated or superseded.
        counting: the variants whose cells count.
        rows: the re-evaluated ones among them.
        drawn: what the sequential predictor drew, behind `sequential`.
    """

    cells: Sequence[StoredCell]
    counting: Sequence[Variant]
    rows: Sequence[Row]
    standings: Sequence[Standing]
    availability_by_n: Sequence[ByN]
    drawn: Sequence[sequential.Drawn]
    sequential: Sequence[Cost]
    epsilon_panels: Sequence[Panel]
    query_panels: Sequence[Panel]
    checks: Sequence[Finding]
    audit: Audit
    damaged: Sequence[Damage]
    machines: Sequence[Machine]

    @classmethod
    def of(cls, store: Store, suites: Collection[str] | None, command: Callable[[Asked], str]) -> Contents:
        """What the cells of these suites, or all, say.

        Args:
            command: the command line for what a run asked for.

        Raises StoreError where there are none.
        """
        everything, damaged = store.survey()
        cells = [cell for cell in everything if suites is None or cell.settings["suite"] in suites]
        counting = variants(cells)
        found = measured(store, counting)
        rows = [row for row, _ in found]
        made_for = attacked(rows)  # the re-evaluated ones have tables of their own, and no part in checks and curves
        if not made_for:
            raise StoreError(f"no results in {store.folder}: {FIRST_RUN}")
        defended = standings(found)
        drawn = sequential.of_cells(sequential.readable(store.folder), cells)
        counted = {cell.key: cell for variant in counting for cell in variant.cells}
        return cls(
            cells=cells,
            counting=counting,
            rows=rows,
            standings=defended,
            availability_by_n=by_n(defended),
            drawn=drawn,
            sequential=costs(counting, drawn),
            epsilon_panels=epsilon_panels(made_for),
            query_panels=query_panels(made_for),
            checks=check(made_for),
            audit=audit(store, everything),
            damaged=[cell for cell in damaged if suites is None or cell.suite is None or cell.suite in suites],
            machines=machines(counted.values(), command),
        )

    def to_dict(self, *, commit: str, version: str, created: str) -> dict[str, Any]:
        """The object of `leaderboard.json`, written at the time `created` (ISO 8601)."""
        return {
            "schema_version": SCHEMA_VERSION,
            "project": PROJECT,
            "version": version,
            "commit": commit,
            "created": created,
            "machines": self.machines,
            "rows": self.rows,
            "checks": self.checks,
            "curves": {"epsilon": self.epsilon_panels, "queries": self.query_panels},
            "standings": self.standings,
            "availability_by_n": self.availability_by_n,
            **({"sequential": self.sequential} if self.sequential else {}),
            "audit": self.audit,
            "damaged": [asdict(cell) for cell in self.damaged],
        }
