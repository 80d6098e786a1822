"""Scoring images that were made before: the budget rule and fresh noise, as for an attack that has just run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks import Attack, NoAccess
from benchmark.cell import Cell, ceiling_settings
from benchmark.running.clean_columns import clean_columns
from benchmark.running.evaluation import enforce, predicted, take
from benchmark.running.resumable import Report, silent
from benchmark.running.sample_cache import SampleCache
from leaderboard import Store
from leaderboard.stored.records import frame
from targets import DATA, SmoothedClassifier
from targets.engine.arithmetic import SMALL

if TYPE_CHECKING:
    from pandas import DataFrame

PIECE = 2_000_000
"""Noise samples between two steps of the progress: some minutes of a ResNet-20 on two cores."""


class Made(Attack):
    """Images that were made before: nothing is attacked any more."""

    access = NoAccess

    def __call__(self, model: Any, images: Tensor, labels: Tensor, epsilon: float, generator: Any) -> Tensor:
        """Never called."""
        raise NotImplementedError("its images are made already")


@dataclass(frozen=True)
class MadeCell(Cell):
    """A cell whose images exist.

    Attributes:
        stored: its settings beside the target's and PREDICT's: of the attack, and where the images come from.
    """

    stored: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """Everything that can change the result, as of any cell."""
        suite = self.suite
        kept = {name: value for name, value in self.stored.items() if name != "arithmetic"}  # this machine's counts
        return {
            **kept,
            **self.target.identity,
            "suite": suite.name,
            "attack": self.attack_name,
            "epsilon": self.epsilon,
            "n": suite.samples,
            "alpha": suite.alpha,
            "seed": suite.seed,
            **ceiling_settings(suite),
            "query_budget": self.query_budget,
            "images": list(self.images),
        }


COSTS = ("queries", "forward_samples", "backward_samples", "seconds")
"""The columns of what an attack spent, which scoring does not change."""


def score(
    cell: MadeCell,
    store: Store,
    made: Tensor,
    costs: Mapping[str, NDArray[Any]],
    cache: SampleCache,
    *,
    purpose: str,
    seed: int,
    report: Report = silent,
) -> DataFrame:
    """The records of a cell: each image under the budget rule, then PREDICT on noise that nobody has seen.

    Stopped in between, it goes on after the last piece.

    Args:
        made: (N, C, H, W), floating point, as an attack would return them.
        costs: by the names of `COSTS`, (N,) each.
        purpose: keys the noise, with ``seed`` and the image's index. An attack's images get the noise that its own
            evaluation drew, whose first samples are the same at every n.
    """
    target, split = cell.target, DATA[cell.target.data].split("evaluation")
    images = take(split.images, cell.images).to(target.device)
    known = clean_columns(cell, store, report)
    sent = enforce(images, made, cell.epsilon)
    n = cell.suite.samples

    def ask(chosen: slice) -> NDArray[np.int64]:
        return cache.votes(
            sent.images[chosen], n, seed=seed, purpose=purpose, indices=list(cell.images[chosen]), again=True
        )

    votes = _in_pieces(store, cell.key, len(images), max(1, PIECE // n), ask, report)
    return frame(
        {
            "image": np.array(cell.images),
            "label": take(split.labels, cell.images).numpy(),
            **known,
            **predicted(votes, cell.suite.alpha),
            "l2": sent.l2,
            "linf": sent.linf,
            "changed": sent.changed,
            "validity": sent.validity,
            **{name: costs[name] for name in COSTS},
        }
    )


def _in_pieces(
    store: Store, key: str, total: int, size: int, ask: Callable[[slice], NDArray[np.int64]], report: Report
) -> NDArray[np.int64]:
    """Votes (N, K), so many images at a time, kept after each piece; whoever stores the cell removes what is kept."""
    held = store.partial(key)
    parts = [held["votes"]] if held else []
    done = len(parts[0]) if held else 0
    report("votes", "images", done, total)
    while done < total or not parts:
        parts.append(ask(slice(done, min(done + size, total))))
        done = min(done + size, total)
        report("votes", "images", done, total)
        if done < total:
            store.write_partial(key, {"votes": np.concatenate(parts)})
    return np.concatenate(parts)


def forget_pieces(store: Store, key: str) -> None:
    """Remove what scoring kept of a cell that is stored by now."""
    store.checkpoint(key).unlink(missing_ok=True)


@contextmanager
def quick_threads(target: SmoothedClassifier) -> Iterator[None]:
    """One thread where a second has nothing to do on images as small as the target's."""
    threads = torch.get_num_threads()
    if math.prod(DATA[target.data].shape) <= SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
