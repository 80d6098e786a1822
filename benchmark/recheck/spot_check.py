"""A spot check of somebody else's records: some of them are computed again here, on the same noise.

A board has no adversarial images. What follows from the original images can be computed again all the same: PREDICT's
votes at the original, what the certificate and the ceiling are proven from, and the votes at what was sent wherever the
original was sent: by `clean`, and for each image that an attack left as it was or that broke the budget rule.
"""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.key import CEILING_VERSION
from benchmark.recheck.clause import count
from benchmark.recheck.reevaluation import changed, noise_of
from benchmark.recheck.scoring import Made, MadeCell
from benchmark.running.clean_columns import proven
from benchmark.running.clean_images import CLEAN, CleanImages
from benchmark.running.evaluation import take
from benchmark.suite import Suite
from leaderboard import Store, StoredCell
from leaderboard.stored.source import LANDED_FOR
from targets import DATA, TARGETS, InputError, SmoothedClassifier, TargetError, load
from targets.confidence import certificate

if TYPE_CHECKING:
    from pandas import DataFrame

TIES = 0.005
"""Part of n by which a vote count may differ between two machines: see docs/recheck.md for what was measured."""

FEWEST = 2
"""Votes that may differ whatever n is."""

NEAR = 0.05
"""By how much a ceiling may differ, which is a probability."""


def allowed(n: int) -> int:
    """Votes of n by which a count may differ between two machines: floating-point ties of the base classifier."""
    return max(FEWEST, int(n * TIES))


@dataclass
class Found:
    """What a spot check found.

    Attributes:
        records: how many there are, how many of them can be checked here, and how many were.
        checked: how many records were compared, by what of them.
        tied: how many of these comparisons differ by no more than floating-point ties may.
        broken: what is not what the target answers here, in a line each.
        left_out: how many records cannot be checked here, by reason.
    """

    total: int = 0
    checkable: int = 0
    drawn: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    tied: int = 0
    broken: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """What was checked, and what was not."""
        parts = [f"{self.checked[name]:,} {name}" for name in _NAMES if self.checked[name]]
        found = [
            f"Rechecked {count(self.drawn, 'record')} of {self.total:,}, drawn at random: {', '.join(parts)}. "
            f"{self.tied:,} of these comparisons differ by no more than floating-point ties."
        ]
        unseen = self.drawn - self.checked[_SENT]
        if unseen:
            found.append(f"Not checked: the answers to {unseen:,} adversarial images, which a board does not hold.")
        if older := self.drawn - self.checked[_PROVEN]:
            found.append(f"Not checked: {older:,} ceilings of an earlier proof.")
        found += [f"Not checked: {count(number, 'record')} {reason}." for reason, number in self.left_out.items()]
        return found


_LABEL, _ORIGINAL, _SENT = "labels", "answers at the original", "at what was sent"
_CERTIFIED, _PROVEN = "certificates", "ceilings"
_NAMES = (_LABEL, _ORIGINAL, _SENT, _CERTIFIED, _PROVEN)


def spot_check(cells: Sequence[tuple[StoredCell, DataFrame]], number: int, device: str) -> Found:
    """Draw so many records and compute again what can be.

    Which ones nobody can foresee: they are drawn when they are checked, by the operating system.

    Args:
        cells: each with its records, as `leaderboard.stored.archive.read` gives them.

    Raises:
        InputError: not one of the records can be checked here.
    """
    found = Found()
    targets = _targets(cells, device, found)
    places = [(cell, records, i) for cell, records in cells if cell.key in targets for i in range(len(records))]
    found.checkable = len(places)
    if not places:
        reasons = "; ".join(f"{count(many, 'record')} {reason}" for reason, many in found.left_out.items())
        raise InputError(f"--recheck: nothing can be checked here: {reasons or 'the board has no records'}")
    chosen = secrets.SystemRandom().sample(places, min(number, len(places)))
    found.drawn = len(chosen)
    alike: dict[tuple[Any, ...], list[tuple[StoredCell, Any]]] = defaultdict(list)
    for cell, records, i in chosen:
        settings = cell.settings
        alike[settings["target"], settings["n"], settings["seed"]].append((cell, records.iloc[i]))
    for together in alike.values():
        _check(targets[together[0][0].key], together, found)
    return found


def _targets(cells: Sequence[tuple[StoredCell, DataFrame]], device: str, found: Found) -> dict[str, SmoothedClassifier]:
    """The targets of the cells that can be checked, by key."""
    loaded: dict[str, SmoothedClassifier | str] = {}
    targets: dict[str, SmoothedClassifier] = {}
    for cell, records in cells:
        name = cell.settings["target"]
        found.total += len(records)
        if name not in loaded:
            loaded[name] = _loaded(name, device)
        target = loaded[name]
        reason = target if isinstance(target, str) else changed(cell, target)
        if reason is None and not isinstance(target, str):
            available = len(DATA[target.data].split("evaluation").images)
            reason = "are of images that the data set has not" if max(cell.settings["images"]) >= available else None
            targets |= {cell.key: target} if reason is None else {}
        if reason is not None:
            found.left_out[reason] += len(records)
    return targets


def _loaded(name: str, device: str) -> SmoothedClassifier | str:
    if name not in TARGETS:
        return f"are of the target {name}, which is not registered here (--plugin)"
    try:
        target = load(name, device)
        DATA[target.data].split("evaluation")
    except (InputError, TargetError) as error:
        return f"are of the target {name}, which cannot be loaded: {error}"
    return target


def _check(target: SmoothedClassifier, together: Sequence[tuple[StoredCell, Any]], found: Found) -> None:
    """Records of one target, n and seed."""
    settings = together[0][0].settings
    n, seed = settings["n"], settings["seed"]
    indices = [int(record.image) for _, record in together]
    split = DATA[target.data].split("evaluation")
    images, labels = take(split.images, indices).to(target.device), take(split.labels, indices).tolist()
    votes = target.votes(images, n, seed=seed, purpose=CLEAN, indices=indices)
    for (cell, record), label, row in zip(together, labels, votes, strict=True):
        _compare(found, _LABEL, cell, record, "true label", [record.label], [label], 0)
        _compare_votes(found, _ORIGINAL, cell, record, "clean_", row, n)
    for i, (cell, record) in enumerate(together):
        if cell.settings.get("ceiling_samples"):
            _compare_proven(found, target, cell, record, images[i : i + 1])
    for i, (cell, record) in enumerate(together):
        if not record.changed:
            purpose, keyed = noise_of(cell, cell.settings["seed"])
            row = target.votes(images[i : i + 1], n, seed=keyed, purpose=purpose, indices=indices[i : i + 1])[0]
            _compare_votes(found, _SENT, cell, record, "", row, n)


def _compare_votes(
    found: Found, what: str, cell: StoredCell, record: Any, prefix: str, votes: NDArray[np.int64], n: int
) -> None:
    """The two leading counts of a record against the votes for the same classes."""
    classes = [int(record[prefix + name]) for name in ("first", "second")]
    said = [int(record[f"{prefix}{name}_votes"]) for name in ("first", "second")]
    ours = [int(votes[number]) if number < len(votes) else -n for number in classes]
    # A third class may not have more than the second, but for ties.
    others = np.delete(votes, [number for number in classes if number < len(votes)])
    said.append(0)
    ours.append(max(0, int(others.max(initial=0)) - said[1]))
    _compare(
        found, what, cell, record, f"votes at {'the original' if prefix else 'what was sent'}", said, ours, allowed(n)
    )


def _compare_proven(found: Found, target: SmoothedClassifier, cell: StoredCell, record: Any, image: Tensor) -> None:
    """Certificate and ceiling: as here, or as here with as many votes more or fewer as may tie."""
    settings, selected = cell.settings, np.array([int(record.clean_first)])
    samples, most = settings["ceiling_samples"], settings.get("ceiling_samples_max") or 0
    suite = Suite(
        settings["suite"],
        samples=settings["n"],
        alpha=settings["alpha"],
        seed=settings["seed"],
        ceiling_samples=samples,
        ceiling_samples_max=most,
    )
    sigma, indices = settings["sigma"], (int(record.image),)
    again = MadeCell(suite, target, settings["attack"], Made(), settings["epsilon"], indices)
    with TemporaryDirectory() as folder:
        clean = CleanImages(Store.open(Path(folder)), target, image, indices, settings["seed"])
        counts, _ = clean.evidence(samples)
        bound = None
        if selected[0] < counts.shape[1] and settings.get("ceiling_version") == CEILING_VERSION:
            bound = float(proven(again, clean, selected)["ceiling"][0])
    total = int(counts.sum())
    if selected[0] >= counts.shape[1]:
        return
    hits = int(counts[0, selected[0]])
    slack = allowed(total)
    radii = []
    for shifted in (max(0, hits - slack), hits, min(total, hits + slack)):
        pair = np.array([[shifted, total - shifted]])
        label, radius = certificate(np.array([0]), pair, sigma, settings["alpha"])
        radii.append(float(radius[0]) if label[0] == 0 else 0.0)
    said = float(record.certified_radius)
    found.checked[_CERTIFIED] += 1
    if not radii[0] - _SAME <= said <= radii[2] + _SAME:
        found.broken.append(f"{_place(cell, record)}: radius {said:.3f}, here {radii[1]:.3f}")
    elif abs(said - radii[1]) > _SAME:
        found.tied += 1
    if bound is not None:
        found.checked[_PROVEN] += 1
        apart = abs(record.ceiling - bound)
        if not apart <= NEAR:
            found.broken.append(f"{_place(cell, record)}: ceiling {record.ceiling:.3f}, here {bound:.3f}")
        found.tied += _SAME < apart <= NEAR


_SAME = 1e-6
"""Between two computations of one number from the same votes."""


def _compare(
    found: Found, what: str, cell: StoredCell, record: Any, name: str, said: list[Any], ours: list[Any], slack: int
) -> None:
    found.checked[what] += 1
    apart = max(abs(int(a) - int(b)) for a, b in zip(said, ours, strict=True))
    if apart > slack:
        found.broken.append(f"{_place(cell, record)}: {name} {said[0]:,}, here {ours[0]:,}" + _second(said, ours))
    found.tied += 0 < apart <= slack


def _second(said: list[Any], ours: list[Any]) -> str:
    return f" (of the second class {said[1]:,}, here {ours[1]:,})" if len(said) > 1 else ""


def _place(cell: StoredCell, record: Any) -> str:
    settings = cell.settings
    again = " re-evaluated" if LANDED_FOR in settings else ""
    return f"image {int(record.image)} of {settings['attack']}{again} on {settings['target']} (cell {cell.key[:12]})"
