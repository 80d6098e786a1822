"""A target's clean images, and what is sampled on them once for all cells: votes, and the evidence behind ceilings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.cell import CEILING_VERSION, PROTOCOL
from benchmark.running.resumable import Arrays, Report, computed_once, silent
from leaderboard import Store
from targets import SmoothedClassifier
from targets.digest import content
from targets.gradient import Halves

EVIDENCE = f"evidence, version {CEILING_VERSION}"
"""What the store calls the evidence behind ceilings."""

CLEAN, CEILING = "clean", "ceiling"
"""Purposes that key the noise of votes and of evidence."""


@dataclass(frozen=True)
class CleanImages:
    """Evaluation images without perturbation. What is sampled on them is stored, and never sampled again.

    Attributes:
        images: (N, C, H, W) in [0, 1].
        indices: the images' indices in the evaluation split (N,).
        seed: keys the noise.
        report: is told how far sampling is.
    """

    store: Store
    target: SmoothedClassifier
    images: Tensor
    indices: tuple[int, ...]
    seed: int
    report: Report = silent

    def votes(self, n: int) -> NDArray[np.int64]:
        """Votes (N, K) over ``n`` noise samples an image."""

        def compute(rows: range) -> Arrays:
            chosen, indices = self._rows(rows)
            return {"votes": self.target.votes(chosen, n, seed=self.seed, purpose=CLEAN, indices=indices)}

        return self._once("votes", CLEAN, n, "clean votes", compute)["votes"]

    def evidence(self, n: int) -> tuple[NDArray[np.int64], Halves]:
        """What ceilings are proven from, over ``n`` noise samples an image: see `SmoothedClassifier.evidence`."""

        def compute(rows: range) -> Arrays:
            chosen, indices = self._rows(rows)
            votes, halves = self.target.evidence(chosen, n, seed=self.seed, purpose=CEILING, indices=indices)
            return {"votes": votes, "products": halves.products, "lengths": halves.lengths}

        found = self._once(EVIDENCE, CEILING, n, "ceilings", compute)
        return found["votes"], Halves(found["products"], found["lengths"])

    def _rows(self, rows: range) -> tuple[Tensor, list[int]]:
        return self.images[rows.start : rows.stop], [self.indices[row] for row in rows]

    def _once(self, what: str, purpose: str, n: int, title: str, compute: Callable[[range], Arrays]) -> Arrays:
        settings = {
            "protocol": PROTOCOL,
            "what": what,
            **self.target.identity,
            **content(self.target.data, "images"),
            "purpose": purpose,
            "n": n,
            "seed": self.seed,
            "images": list(self.indices),
        }
        total = len(self.indices)
        return computed_once(self.store, settings, total, compute, partial(self.report, title, "images", total=total))
