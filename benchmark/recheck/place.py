"""What is said of submitted images, and where on the board they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from attacks import ATTACKS
from benchmark.recheck.npz_file import ImageFile
from benchmark.suite import Suite
from leaderboard import Store, StoredCell
from leaderboard.board import is_best_of
from leaderboard.image_sets import TOGETHER, grouped, image_sets
from leaderboard.stored.source import source_of
from targets import TARGETS, InputError
from targets.data import evenly_spaced
from targets.limits import check_length, check_test, check_whole
from targets.registry import check_name

SUITE = "submitted"
"""The suite of submissions to a results folder that has no rows of their target."""


@dataclass(frozen=True)
class Submission:
    """A file, and what is said of it.

    Attributes:
        queries: an image, as the submitter says; None where he does not.
        suite, samples, alpha: of the rows that it is to stand beside; None for those that the results folder has.
        seed: keys the noise; None to have it drawn when the images are scored.
    """

    path: Path
    target: str
    epsilon: float
    name: str
    queries: int | None = None
    suite: str | None = None
    samples: int | None = None
    alpha: float | None = None
    seed: int | None = None

    def check(self) -> None:
        """Raise :class:`InputError` for the first thing that cannot be, before the file is looked at."""
        TARGETS[self.target]
        check_length("epsilon", self.epsilon)
        check_name("method", self.name)
        if self.name in ATTACKS or is_best_of(self.name):
            raise InputError(f"--name {self.name} is an attack of the benchmark; name yours otherwise")
        if self.queries is not None:
            check_whole("--queries", self.queries, least=0)
        if self.suite is not None:
            check_name("suite", self.suite)
        if self.seed is not None:
            check_whole("seed", self.seed)


@dataclass(frozen=True)
class Place:
    """Where on the board a submission stands: the suite and PREDICT's settings, and how many images its set has."""

    suite: Suite
    indices: tuple[int, ...]
    of_images: int


def place_of(store: Store, submission: Submission, file: ImageFile, available: int) -> Place:
    """Beside which rows of a store a file's images stand.

    Raises:
        InputError: rows of several suites, or indices of no image set.
    """
    cells = [cell for cell in store.cells() if cell.settings["target"] == submission.target]
    name = submission.suite or _only(sorted({cell.settings["suite"] for cell in cells}), submission.target)
    beside = [cell for cell in cells if cell.settings["suite"] == name and source_of(cell) != "re-evaluated"]
    known = _most_frequent(beside)
    samples = submission.samples or known.get("n", Suite.samples)
    alpha = known.get("alpha", Suite.alpha) if submission.alpha is None else submission.alpha
    check_test(samples, alpha)
    suite = Suite(
        name,
        samples=samples,
        alpha=alpha,
        seed=known.get("seed", Suite.seed),
        ceiling_samples=known.get("ceiling_samples") or Suite.ceiling_samples,
        ceiling_samples_max=known.get("ceiling_samples_max", 0),
    )
    indices = file.indices or evenly_spaced(available, len(file.images))
    if set(indices) == set(evenly_spaced(available, len(indices))):
        return Place(suite, tuple(indices), len(indices))
    for together in grouped(beside, TOGETHER):
        for images in image_sets(together):
            if set(indices) <= {*evenly_spaced(available, images.size), *chain.from_iterable(images.shards)}:
                return Place(suite, tuple(indices), images.size)
    raise InputError(
        f"{submission.path}: its indices are neither {len(indices)} evenly spaced ones nor a part of a set that "
        "the board has; `export` writes images with theirs"
    )


def _only(suites: Sequence[str], target: str) -> str:
    if len(suites) > 1:
        raise InputError(f"--suite: rows of {target} are of several suites: {', '.join(suites)}; name one")
    return suites[0] if suites else SUITE


def _most_frequent(cells: Sequence[StoredCell]) -> dict[str, Any]:
    """The settings of PREDICT that most cells have."""
    groups = grouped(cells, ("n", "alpha", "seed", "ceiling_samples", "ceiling_samples_max"))
    return max(groups, key=len)[0].settings if groups else {}
