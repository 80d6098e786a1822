"""PREDICT or CERTIFY on a target's evaluation images, written to a table group by group. A killed run resumes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.key import PROTOCOL
from benchmark.provenance import provenance
from benchmark.running.evaluation import take
from benchmark.tables import tsv
from benchmark.tables.sealed_settings import check, claim, edited, seal
from benchmark.tables.tsv import Columns, Row
from leaderboard import Store
from leaderboard.drawn.numbers import percent_with_interval
from leaderboard.statistics import clopper_pearson
from leaderboard.stored import atomic
from leaderboard.stored.lock import sole_writer
from targets import DATA, InputError, SmoothedClassifier
from targets.data import Split, evenly_spaced
from targets.data.digest import content
from targets.isolation import isolated
from targets.noise import BLOCK

IMAGES = 500
"""Default number of images: every 20th of CIFAR-10's test images, as in Cohen et al. 2019."""

GROUP = 10
"""Images that are answered and written together; more if a batch has room. Answers do not depend on it."""

RESULTS = Path("results")

Answers = tuple[NDArray[np.int64], dict[str, NDArray[Any]]]
"""Labels (N,), and further columns (N,) by name: "radius" or "samples"."""

Ask = Callable[[SmoothedClassifier, Tensor, Sequence[int]], Answers]
"""Answers to images (N, C, H, W), given their indices."""


@dataclass(frozen=True)
class Sweep:
    """One pass over a target's evaluation images.

    Attributes:
        verb: the command, as in the file's name.
        columns: of the table.
        sampling: every setting of ``ask`` that can change an answer; JSON-able.
        ask: answers a group of images.
        images: number of images, evenly spaced; None for 500, or for all if there are fewer.
        output: the table's file; None for ``results/NAME.VERB.tsv``.
    """

    verb: str
    columns: Columns
    sampling: dict[str, Any]
    ask: Ask
    images: int | None = None
    output: Path | None = None

    def run(self, target: SmoothedClassifier, quiet: bool) -> tuple[Path, list[Row]]:
        """Answer every image that the table does not hold yet.

        Returns:
            The table's file and all its rows in the order of the images. An image's time is its group's, divided by
            the number of images in the group.

        Raises:
            InputError: the table was made with other settings, was edited, or cannot be written.
            StoreError: another process is writing it.
        """
        split = DATA[target.data].split("evaluation")
        available = len(split.images)
        indices = evenly_spaced(available, min(IMAGES, available) if self.images is None else self.images)
        self.ask(target, split.images[:0], [])  # refuses bad settings before anything is written
        path = self._path(target.name)
        with sole_writer(path):
            return path, self._fill(path, target, split, indices, quiet)

    def _fill(self, path: Path, target: SmoothedClassifier, split: Split, indices: list[int], quiet: bool) -> list[Row]:
        """Answer the missing images. The caller holds the lock on ``path``."""
        from tqdm import tqdm

        rows = tsv.read(path, self.columns)
        held = {row.idx for row in rows}
        missing = [index for index in indices if index not in held]
        facts = provenance(target.device, target.arithmetic) if missing else None
        lines, settings = [row.line() for row in rows], self._settings(target, len(indices))
        check(path, lines, settings)
        if strange := held - set(indices):
            raise edited(path, f"it holds image {min(strange)}, which its settings do not")
        for row in rows:
            if row.label != (true_label := int(split.labels[row.idx])):
                raise edited(path, f"it has label {row.label} for image {row.idx}, whose label is {true_label}")
        claim(path, lines, settings, facts)
        tsv.mend(path, self.columns)
        with tqdm(
            total=len(indices), initial=len(held), desc=target.name, unit="image", disable=quiet or None, leave=False
        ) as bar:
            size = max(GROUP, target.engine.size(DATA[target.data].shape) // BLOCK)
            try:
                for start in range(0, len(missing), size):
                    group = missing[start : start + size]
                    begun = time.perf_counter()
                    with isolated():
                        labels, further = self.ask(target, take(split.images, group), group)
                    seconds = str(timedelta(seconds=(time.perf_counter() - begun) / len(group)))
                    true = take(split.labels, group).tolist()
                    more = [dict(zip(further, values, strict=True)) for values in zip(*_lists(further), strict=True)]
                    parts = zip(group, true, labels.tolist(), more or [{}] * len(group), strict=True)
                    tsv.append(path, [Row(i, label, answer, seconds, **rest) for i, label, answer, rest in parts])
                    bar.update(len(group))
            except KeyboardInterrupt:
                bar.close()
                self._close(path)
                print(
                    f"stopped; finished rows are kept in {path}. Run the same command again to go on.", file=sys.stderr
                )
                raise
        return self._close(path)

    def _close(self, path: Path) -> list[Row]:
        """Seal the rows, then sort them. The seal does not depend on their order: a kill in between does no harm."""
        seal(path, [row.line() for row in tsv.read(path, self.columns)])
        return tsv.mend(path, self.columns)

    def _path(self, name: str) -> Path:
        path = RESULTS / f"{name}.{self.verb}.tsv" if self.output is None else self.output
        if path.suffix != ".tsv":
            raise InputError(f"--output is {path}; give a file name that ends in .tsv")
        if path.parent == RESULTS:
            Store.open(RESULTS)  # without this, `run` would refuse the folder as foreign
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.sweep(path.parent)
        except OSError as error:
            raise InputError(f"cannot write into {path.parent}: {error.strerror}; give another --output") from error
        return path

    def _settings(self, target: SmoothedClassifier, images: int) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "verb": self.verb,
            **target.identity,
            **content(target.data, "images", "labels"),
            "images": images,
            **self.sampling,
        }


def _lists(columns: dict[str, NDArray[Any]]) -> list[list[Any]]:
    return [values.tolist() for values in columns.values()]


def share(hits: int, rows: int) -> str:
    """A rate in percent with its 95% Clopper–Pearson interval: "12.0% [10.1, 14.2]"."""
    return percent_with_interval(hits / rows, *clopper_pearson(hits, rows))
