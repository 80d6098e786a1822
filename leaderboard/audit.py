"""The soundness audit: confident answers against the certificate, inside its radius, and what alpha allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypedDict

from leaderboard.statistics import sum_quantile
from leaderboard.stored.cell import StoredCell
from leaderboard.stored.records import ABSTAIN, HasRecords

if TYPE_CHECKING:
    from pandas import DataFrame


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


def count(records: DataFrame, alpha: float) -> Count:
    """The audit of some records of one alpha (columns: `leaderboard.stored.records.COLUMNS`)."""
    sent = (records.validity == "valid") & records.changed
    certified = records.certified_label != ABSTAIN
    inside = certified & (records.l2.where(sent, 0.0) < records.certified_radius)
    flips = inside & (records.outcome != ABSTAIN) & (records.outcome != records.certified_label)
    return Count(
        images=len(records),
        certified_answers=int(certified.sum()),
        inside_radius=int(inside.sum()),
        flips_inside_radius=int(flips.sum()),
        flips_allowed=_allowed({alpha: int(inside.sum())}),
    )


def audit(store: HasRecords, cells: Iterable[StoredCell]) -> Audit:
    """The audit of all these cells that ran."""
    counts: dict[str, dict[float, list[Count]]] = defaultdict(lambda: defaultdict(list))
    certificates = set()
    ran = [cell for cell in cells if cell.status == "ok"]
    for cell in ran:
        settings, records = cell.settings, store.records(cell.key)
        counts[settings["target"]][settings["alpha"]].append(count(records, settings["alpha"]))
        names = ("target", "data", "weights", "seed", "ceiling_samples", "n", "alpha")
        identity = tuple(settings.get(name) for name in names)
        certificates |= {(*identity, image) for image in records.image[records.certified_label != ABSTAIN]}
    whole: dict[float, list[Count]] = defaultdict(list)
    for by_alpha in counts.values():
        for alpha, found in by_alpha.items():
            whole[alpha] += found
    targets = [TargetCount(target=target, **_total(counts[target])) for target in sorted(counts)]
    return Audit(cells=len(ran), certificates=len(certificates), targets=targets, **_total(whole))


def _total(counts: Mapping[float, Iterable[Count]]) -> Count:
    """The sum of counts by alpha."""
    found = [count for group in counts.values() for count in group]
    return Count(
        images=sum(count["images"] for count in found),
        certified_answers=sum(count["certified_answers"] for count in found),
        inside_radius=sum(count["inside_radius"] for count in found),
        flips_inside_radius=sum(count["flips_inside_radius"] for count in found),
        flips_allowed=_allowed({a: sum(count["inside_radius"] for count in group) for a, group in counts.items()}),
    )


def _allowed(inside: Mapping[float, int]) -> int:
    # PREDICT and CERTIFY each err with probability ≤ alpha: a certified answer flips with at most 2 alpha.
    return sum_quantile(0.999, {2 * alpha: trials for alpha, trials in inside.items()})
