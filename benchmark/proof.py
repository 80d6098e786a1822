"""What stands beside a cell's results whatever the attack did: each image's ceiling and certificate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.cell import CEILING, Cell
from benchmark.evaluation import take
from benchmark.shared import shared_evidence
from leaderboard import Store
from leaderboard.store import StoredCell
from targets import DATA
from targets.ceiling import ceilings
from targets.smoothing import certificate


def proof(cell: Cell, store: Store, images: Tensor, selected: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """The columns of a cell's records that are proven from samples at the originals, which its target's cells share.

    Args:
        images: the originals (N, C, H, W).
        selected: the class of each that CERTIFY is to certify, (N,), chosen on other noise.
    """
    suite, target = cell.suite, cell.target
    votes, halves = shared_evidence(store, target, images, cell.images, suite.ceiling_samples, suite.seed)
    label, radius = certificate(selected, votes, target.sigma, suite.alpha)
    bounds = ceilings(votes, cell.epsilon, target.sigma, suite.samples, suite.alpha, halves=halves)
    return {"ceiling": bounds, "certified_label": label, "certified_radius": radius}


def renew(cell: Cell, held: StoredCell, store: Store) -> bool:
    """Prove a held cell's ceilings anew, where this suite's are the better, and leave all else of it as it is.

    Returns whether they were.
    """
    settings = cell.settings()
    if _rank(settings) <= _rank(held.settings):
        return False
    records = store.records(held.key)
    images = take(DATA[cell.target.data].split("evaluation").images, cell.images).to(cell.target.device)
    found = proof(cell, store, images, records.clean_first.to_numpy())
    store.renew_cell(held, {name: settings[name] for name in CEILING}, records.assign(**found))
    return True


def _rank(settings: dict[str, Any]) -> list[int]:
    """Cells of the first version did not say so."""
    return [settings.get(name, 1) for name in CEILING]
