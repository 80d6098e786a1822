"""What a row's rate is evidence of: against the clean row, and against what the ceiling leaves to an attack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from leaderboard.bootstrap import interval
from leaderboard.statistics import holm, mcnemar
from leaderboard.stored.records import ABSTAIN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leaderboard.stored.records import Columns

CLEAN = "clean"
"""The control that sends the original images. Its records are on the noise of every other attack's evaluation."""

CERTAIN = 1 - 1e-9
"""A ceiling above it is 100%, but for the rounding of sums of probabilities."""


class Evidence(TypedDict):
    """All None where the row failed.

    ``mcnemar_p`` and ``net_share`` compare the attack with the unattacked images: with the row `clean`, which is
    evaluated on the same noise, or where the board has none of these images, with the records' own clean columns.
    """

    mcnemar_p: float | None  # exact, of abstention against the unattacked images
    mcnemar_against: Literal["clean row", "clean columns"] | None
    mcnemar_holm: float | None  # the same, adjusted for the other rows of its table; None for the clean row
    net_share: float | None  # (rate - clean) / (ceiling - clean); None where vacuous or there is no room
    net_share_low: float | None  # 95% bootstrap interval over images, see `leaderboard.bootstrap`
    net_share_high: float | None
    vacuous: bool | None  # the ceiling is 100% on every image: nothing is proven


def error_of(version: int | None) -> float:
    """The probability with which the ceiling of one image may fail, by the version of its proof.

    Args:
        version: `benchmark.key.CEILING_VERSION` when the ceiling was proven; None, which the first version left, is 1.
    """
    return 1e-3 if (version or 1) < 3 else 1e-6


UNKNOWN = cast(Evidence, dict.fromkeys(Evidence.__annotations__))


def evidence(records: Columns, clean: Columns | None) -> Evidence:
    """The evidence of a row's records, without Holm's adjustment, which needs the other rows.

    Args:
        clean: the records of the clean row of the same target, ε and noise, if there are any.
    """
    without = clean_outcomes(records, clean)
    against: Literal["clean row", "clean columns"] = "clean columns" if without is None else "clean row"
    before = (records["clean_outcome"] if without is None else without) == ABSTAIN
    after = records["outcome"] == ABSTAIN
    ceiling = records["ceiling"]
    vacuous = bool((ceiling > CERTAIN).all())
    room = ceiling.mean() - before.mean()
    share = bounds = None
    if not vacuous and room > 0:
        share = float((after.mean() - before.mean()) / room)
        bounds = interval(_net_share, after, before, ceiling)
    return Evidence(
        mcnemar_p=mcnemar(int((after & ~before).sum()), int((~after & before).sum())),
        mcnemar_against=against,
        mcnemar_holm=None,
        net_share=share,
        net_share_low=bounds[0] if bounds else None,
        net_share_high=bounds[1] if bounds else None,
        vacuous=vacuous,
    )


def clean_outcomes(records: Columns, clean: Columns | None) -> NDArray[np.int64] | None:
    """The clean row's outcomes at the images of some records (N,); None where it is without one of them.

    Both are in the order of their images.
    """
    import numpy as np

    if clean is None or clean is records:
        return None
    images, known = records["image"], clean["image"]
    places = np.searchsorted(known, images)
    if places.max() == len(known) or (known[places] != images).any():
        return None
    outcomes: NDArray[np.int64] = clean["outcome"][places]
    return outcomes


def adjusted(p_values: Mapping[Any, tuple[Any, float | None]]) -> dict[Any, float]:
    """Holm's p-values by row, from (table, p-value) by row. Rows without a p-value have none."""
    tables: dict[Any, dict[Any, float]] = defaultdict(dict)
    for row, (table, p) in p_values.items():
        if p is not None:
            tables[table][row] = p
    return {row: p for of in tables.values() for row, p in zip(of, holm(list(of.values())), strict=True)}


def _net_share(means: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    after, before, ceiling = means.T
    room = ceiling - before
    shares = np.full(len(room), np.nan)
    np.divide(after - before, room, out=shares, where=room > 0)
    return shares
