"""A target's clean images, and what is sampled on them once for all cells: votes, and the evidence behind ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.key import PROTOCOL
from benchmark.running.resumable import Arrays, Report, computed_once, find, silent
from leaderboard import Store
from targets import SmoothedClassifier
from targets.data.digest import content
from targets.gradient import Halves
from targets.looks import Looks

EVIDENCE = "evidence, version 2"
"""What the store calls the evidence behind ceilings. Raise its version when other sums are kept (`targets.gradient`).
What is proven from the same sums is a matter of `benchmark.key.CEILING_VERSION`."""

LOOKS = "votes at looks"
"""What the store calls the votes of images that were sampled on (`targets.looks`)."""

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

    def has_evidence(self, n: int) -> bool:
        """Whether `evidence` is stored."""
        return find(self.store, self._settings(EVIDENCE, CEILING, n)) is not None

    def more_votes(self, looks: Looks, rows: Sequence[int]) -> NDArray[np.int64]:
        """Votes (M, K) at these rows' images, on the evidence's noise, sampled on until the looks stop it."""
        some = replace(self, images=self.images[list(rows)], indices=tuple(self.indices[row] for row in rows))

        def compute(within: range) -> Arrays:
            chosen, indices = some._rows(within)
            most = looks.samples[-1]
            tally = self.target.sample(chosen, most, seed=self.seed, purpose=CEILING, indices=indices, rule=looks)
            return {"votes": tally.votes}

        if not rows:
            return np.zeros((0, self.target.num_classes), dtype=np.int64)
        rule = {"looks": list(looks.samples), "sufficient": list(looks.sufficient), "useful": looks.useful}
        return some._once(LOOKS, CEILING, looks.samples[-1], "ceilings, on", compute, rule)["votes"]

    def _rows(self, rows: range) -> tuple[Tensor, list[int]]:
        return self.images[rows.start : rows.stop], [self.indices[row] for row in rows]

    def _once(
        self,
        what: str,
        purpose: str,
        n: int,
        title: str,
        compute: Callable[[range], Arrays],
        rule: Mapping[str, Any] | None = None,
    ) -> Arrays:
        settings, total = self._settings(what, purpose, n) | dict(rule or {}), len(self.indices)
        return computed_once(self.store, settings, total, compute, partial(self.report, title, "images", total=total))

    def _settings(self, what: str, purpose: str, n: int) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "what": what,
            **self.target.identity,
            **content(self.target.data, "images"),
            "purpose": purpose,
            "n": n,
            "seed": self.seed,
            "images": list(self.indices),
        }
