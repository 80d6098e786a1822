"""The originals: what is known of a cell's images whatever its attack did, sampled once for all cells on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.cell import CEILING, CEILING_VERSION, PROTOCOL, Cell, key_of
from benchmark.running.evaluation import take
from benchmark.running.pieces import Tell, silent
from benchmark.running.shared import shared_evidence, shared_votes
from leaderboard import Store
from leaderboard.stored.cell import StoredCell
from targets import ABSTAIN, DATA
from targets.binomial import decide, p_value, top_two
from targets.ceiling import ceilings
from targets.confidence import certificate

if TYPE_CHECKING:
    from pandas import DataFrame

DECISIVE = ("target", "data", "sigma", "weights", "epsilon", "n", "alpha", "seed", "images", *CEILING)
"""The settings of a cell that decide what its originals' columns hold."""

CLEAN = ("outcome", "first", "first_votes", "second", "second_votes", "p")
"""PREDICT's columns, which stand in the records as ``clean_…``."""

PROVEN = ("ceiling", "certified_label", "certified_radius")


def originals(cell: Cell, store: Store, images: Tensor, tell: Tell = silent) -> dict[str, NDArray[Any]]:
    """The columns of a cell's records that all cells on these images at this epsilon share.

    Args:
        images: the originals (N, C, H, W).
        tell: hears of what is sampled.
    """
    held = store.shared(_key(cell.settings()))
    if held is not None:
        return held
    suite = cell.suite
    votes = shared_votes(store, cell.target, images, cell.images, suite.samples, suite.seed, "clean", tell)
    clean = outcome(votes, suite.alpha)
    found = {f"clean_{name}": clean[name] for name in CLEAN} | _proof(cell, store, images, votes.argmax(1), tell)
    _keep(store, cell.settings(), found)
    return found


def keep(store: Store, cell: StoredCell, records: DataFrame) -> None:
    """Have runs take the originals' columns from an adopted cell's records, and not sample them again for other cells.

    Those of a cell with older ceilings are of no use to them.
    """
    if cell.settings.get("ceiling_version") == CEILING_VERSION and store.shared(_key(cell.settings)) is None:
        columns = (*(f"clean_{name}" for name in CLEAN), *PROVEN)
        _keep(store, cell.settings, {name: records[name].to_numpy() for name in columns})


def renew(cell: Cell, held: StoredCell, store: Store, tell: Tell = silent) -> bool:
    """Prove a held cell's ceilings anew, where this suite's are the better, and leave all else of it as it is.

    Returns whether they were.
    """
    settings = cell.settings()
    if _rank(settings) <= _rank(held.settings):
        return False
    records = store.records(held.key)
    images = take(DATA[cell.target.data].split("evaluation").images, cell.images).to(cell.target.device)
    found = _proof(cell, store, images, records.clean_first.to_numpy(), tell)
    store.renew_cell(held, {name: settings[name] for name in CEILING}, records.assign(**found))
    return True


def outcome(votes: NDArray[np.int64], alpha: float) -> dict[str, NDArray[Any]]:
    """What PREDICT makes of votes (N, K): the columns of `CLEAN`."""
    first, first_votes, second, second_votes = top_two(votes)
    p = p_value(first_votes, second_votes)
    return dict(zip(CLEAN, (decide(votes, alpha, ABSTAIN), first, first_votes, second, second_votes, p), strict=True))


def _proof(
    cell: Cell, store: Store, images: Tensor, selected: NDArray[np.int64], tell: Tell
) -> dict[str, NDArray[Any]]:
    """The columns that are proven from samples at the originals.

    Args:
        selected: the class of each that CERTIFY is to certify, (N,), chosen on other noise.
    """
    suite, target = cell.suite, cell.target
    votes, halves = shared_evidence(store, target, images, cell.images, suite.ceiling_samples, suite.seed, tell)
    label, radius = certificate(selected, votes, target.sigma, suite.alpha)
    bounds = ceilings(votes, cell.epsilon, target.sigma, suite.samples, suite.alpha, halves=halves)
    return dict(zip(PROVEN, (bounds, label, radius), strict=True))


def _keep(store: Store, settings: dict[str, Any], found: dict[str, NDArray[Any]]) -> None:
    store.write_shared(_key(settings), _identity(settings), found)


def _key(settings: dict[str, Any]) -> str:
    return key_of(_identity(settings))


def _identity(settings: dict[str, Any]) -> dict[str, Any]:
    identity = {"protocol": PROTOCOL, "what": "originals", **{name: settings[name] for name in DECISIVE}}
    if "content" in settings:
        identity["content"] = {"images": settings["content"]["images"]}
    return identity


def _rank(settings: dict[str, Any]) -> list[int]:
    """Cells of the first version did not say so."""
    return [settings.get(name, 1) for name in CEILING]
