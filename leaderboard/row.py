"""A row of the board: the statistics of one (suite, target, attack, query budget, ε, n, alpha, seed, image set)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NotRequired, TypedDict, cast

from leaderboard.audit import count
from leaderboard.evidence import Evidence
from leaderboard.statistics import clopper_pearson, rate
from leaderboard.stored.records import ABSTAIN
from leaderboard.stored.source import LandedFor, Source

if TYPE_CHECKING:
    from leaderboard.stored.records import Columns


class Statistics(TypedDict):
    """What a row's records say. Rates are in [0, 1] and over images; None: not defined, or the row failed."""

    abstention_rate: float | None
    abstention_low: float | None  # 95% Clopper–Pearson interval
    abstention_high: float | None
    clean_abstention_rate: float | None  # the same images unattacked, by independent noise
    accuracy: float | None  # answered, and rightly
    clean_accuracy: float | None
    confident_wrong_rate: float | None  # answered, and wrongly
    valid_rate: float | None  # kept the budget rule; for the others the original image was sent
    not_finite: int | None  # images
    out_of_range: int | None
    over_budget: int | None
    changed: int | None  # valid images that the attack changed, by more than rounding
    l2_mean: float | None  # over those, in [0,1] pixel units
    l2_median: float | None
    l2_max: float | None
    queries_mean: float | None  # per image, without the surrogate's
    forward_samples_mean: float | None
    backward_samples_mean: float | None
    seconds_per_image: float | None
    ceiling: float | None  # upper bound on the expected abstention rate within ε
    share_of_ceiling: float | None  # abstention_rate / ceiling; sampling may take it just over 1
    flips_inside_radius: int | None  # confident answers against the certificate, inside its radius
    certified_answers: int | None  # images with a certificate
    inside_radius: int | None  # of these, sent from inside its radius
    flips_allowed: int | None  # what alpha allows in 99.9% of runs


class AcrossSeeds(TypedDict):
    """One row under each of its seeds; see `leaderboard.seeds`."""

    seeds: list[int]  # ascending, two or more
    abstaining: list[int]  # images on which PREDICT abstains, in that order
    p: float  # that all rates are equal: the smallest of all pairs of seeds, times their number
    apart: list[int]  # the two seeds of that pair


class Row(Statistics, Evidence):
    """One row of the board; safe as JSON (no NaN)."""

    rank: (
        int | None
    )  # 1: most abstention in its part of the board, see `board`; None: failed, re-evaluated, or not the largest budget
    suite: str
    target: str
    sigma: float
    data: str
    attack: str
    access: str
    description: str
    epsilon: float
    query_budget: int | None  # most queries per image; None: no limit, or an access without queries
    n: int
    alpha: float
    seed: int
    images: int  # with a record
    of_images: int  # the size of its image set, see `leaderboard.image_sets`
    ceiling_samples: (
        int | None
    )  # noise samples per image behind the ceiling, the fewest of its cells; None: not recorded
    ceiling_samples_max: int  # the most where more may decide; 0: no more than these
    ceiling_error: float | None  # all its ceilings hold at once, except with this probability at most; None: failed
    status: Literal["ok", "partial", "failed"]  # partial: fewer images than its set has
    surrogate_queries: int
    superseded_cells: int  # older cells of the same row, of other settings, that are left out
    source: Source  # see `leaderboard.sources.MEANINGS`
    parameters: dict[str, Any]
    error: str | None  # last line of the traceback
    surrogates: NotRequired[list[str]]  # where they were trained, or that they ship with the program
    landed_for: NotRequired[LandedFor]  # of a re-evaluated row: the n, alpha and seed that its images were made for
    submitted: NotRequired[str]  # of a submitted row: the SHA-256 of the file that its images came in
    across_seeds: NotRequired[AcrossSeeds]  # where the board has the same row under other seeds
    observed: NotRequired[dict[str, int]]  # see `leaderboard.checks.OBSERVED`; absent where nothing was counted


ANSWERS = {
    "image": "int32",
    "label": "int32",
    "clean_outcome": "int32",
    "outcome": "int32",
    "ceiling": "float64",
    "certified_label": "int32",
}
"""The columns of records that rows are compared by, in types that take little memory: all rows' are held at once."""

USED = (
    *ANSWERS,
    *("validity", "changed", "l2", "certified_radius", "seconds"),
    *("queries", "forward_samples", "backward_samples"),
)
"""The columns that a row's statistics are of."""


class Measured(NamedTuple):
    """A row, and the columns `ANSWERS` of the records that it is of; None where it failed."""

    row: Row
    records: Columns | None


UNDEFINED = cast(Statistics, dict.fromkeys(Statistics.__annotations__))
"""The statistics of a row that failed: an attack that raises is never scored as a weak one."""


ROUNDING = 1e-4
"""An image this close to its original, in ℓ2, counts as unchanged in a row's statistics."""


def measure(records: Columns, alpha: float) -> Statistics:
    """The statistics of at least one record (columns: `USED`)."""
    import numpy as np

    label, outcome, clean_outcome = (records[name] for name in ("label", "outcome", "clean_outcome"))
    n = len(label)
    abstains, clean_abstains = outcome == ABSTAIN, clean_outcome == ABSTAIN
    right, clean_right = ~abstains & (outcome == label), ~clean_abstains & (clean_outcome == label)
    low, high = clopper_pearson(int(abstains.sum()), n)
    abstention_rate, ceiling = int(abstains.sum()) / n, float(records["ceiling"].mean())

    validity = records["validity"]
    valid = validity == "valid"
    # Carlini–Wagner's change of variables gives an image back to within 1e-5, which is no perturbation.
    sent = valid & records["changed"] & (records["l2"] > ROUNDING)
    l2 = records["l2"][sent]
    soundness = count(records, alpha)
    return Statistics(
        abstention_rate=abstention_rate,
        abstention_low=low,
        abstention_high=high,
        clean_abstention_rate=rate(int(clean_abstains.sum()), n),
        accuracy=rate(int(right.sum()), n),
        clean_accuracy=rate(int(clean_right.sum()), n),
        confident_wrong_rate=rate(int((~abstains & ~right).sum()), n),
        valid_rate=rate(int(valid.sum()), n),
        not_finite=int((validity == "not-finite").sum()),
        out_of_range=int((validity == "out-of-range").sum()),
        over_budget=int((validity == "over-budget").sum()),
        changed=int(sent.sum()),
        l2_mean=float(l2.mean()) if len(l2) else None,
        l2_median=float(np.median(l2)) if len(l2) else None,
        l2_max=float(l2.max()) if len(l2) else None,
        queries_mean=float(records["queries"].mean()),
        forward_samples_mean=float(records["forward_samples"].mean()),
        backward_samples_mean=float(records["backward_samples"].mean()),
        seconds_per_image=float(records["seconds"].mean()),
        ceiling=ceiling,
        share_of_ceiling=abstention_rate / ceiling if ceiling > 0 else None,
        flips_inside_radius=soundness["flips_inside_radius"],
        certified_answers=soundness["certified_answers"],
        inside_radius=soundness["inside_radius"],
        flips_allowed=soundness["flips_allowed"],
    )
