"""The soundness audit: confident answers against the certificate, inside its radius, and what alpha allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from leaderboard.statistics import sum_quantile
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.records import ABSTAIN, HasRecords

if TYPE_CHECKING:
    from leaderboard.stored.records import Columns

USED = ("image", "validity", "changed", "l2", "outcome", "certified_label", "certified_radius")
"""The columns of records that are looked at."""


class Count(TypedDict):
    """Over some images that adversaries sent."""

    images: int
    certified_answers: int  # whose original has a certificate
    inside_radius: int  # of these, sent from inside its radius: only these can violate the certificate
    flips_inside_radius: int  # of these, answered confidently with another class
    flips_allowed: int  # what alpha allows in 99.9% of runs


class TargetCount(Count):
    """Of one target."""

    target: str


class Audit(Count):
    """Of every stored cell that ran, also superseded ones, other suites and controls."""

    cells: int
    certificates: int  # distinct; the attacks on an image share its certificate
    targets: list[TargetCount]


def count(records: Columns, alpha: float) -> Count:
    """The audit of some records of one alpha (columns: `USED`)."""
    return _total({alpha: [_found(records)]})


def audit(store: HasRecords, cells: Iterable[StoredCell]) -> Audit:
    """The audit of all these cells that ran."""
    counts: dict[str, dict[float, list[_Found]]] = defaultdict(lambda: defaultdict(list))
    certified: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    ran = [cell for cell in cells if cell.status == "ok"]
    for cell in ran:
        settings, records = cell.settings, store.columns(cell.key, USED)
        counts[settings["target"]][settings["alpha"]].append(_found(records))
        names = ("target", "data", "weights", "seed", "ceiling_samples", "n", "alpha")
        images = records["image"][records["certified_label"] != ABSTAIN]
        certified[tuple(settings.get(name) for name in names)].update(images.tolist())
    whole: dict[float, list[_Found]] = defaultdict(list)
    for by_alpha in counts.values():
        for alpha, found in by_alpha.items():
            whole[alpha] += found
    certificates = sum(map(len, certified.values()))
    targets = [TargetCount(target=target, **_total(counts[target])) for target in sorted(counts)]
    return Audit(cells=len(ran), certificates=certificates, targets=targets, **_total(whole))


class _Found(NamedTuple):
    """As in `Count`, before one asks what alpha allows."""

    images: int
    certified: int
    inside: int
    flips: int


def _found(records: Columns) -> _Found:
    import numpy as np

    label, outcome = records["certified_label"], records["outcome"]
    sent = (records["validity"] == "valid") & records["changed"]
    certified = label != ABSTAIN
    inside = certified & (np.where(sent, records["l2"], 0.0) < records["certified_radius"])
    flips = inside & (outcome != ABSTAIN) & (outcome != label)
    return _Found(len(label), int(certified.sum()), int(inside.sum()), int(flips.sum()))


def _total(counts: Mapping[float, Iterable[_Found]]) -> Count:
    """The sum of counts by alpha."""
    found = [one for group in counts.values() for one in group]
    return Count(
        images=sum(one.images for one in found),
        certified_answers=sum(one.certified for one in found),
        inside_radius=sum(one.inside for one in found),
        flips_inside_radius=sum(one.flips for one in found),
        flips_allowed=_allowed({alpha: sum(one.inside for one in group) for alpha, group in counts.items()}),
    )


def _allowed(inside: Mapping[float, int]) -> int:
    # PREDICT and CERTIFY each err with probability ≤ alpha: a certified answer flips with at most 2 alpha.
    return sum_quantile(0.999, {2 * alpha: trials for alpha, trials in inside.items()})
